// Streams of events of some jobs, begun and ended as what is wanted changes.

export class Streams {
  constructor(heard) {
    this.heard = heard;
    this.open = new Map();
  }

  /** Follow these jobs and no others. */
  follow(ids, api) {
    const wanted = new Set(ids);
    for (const [id, stream] of [...this.open]) if (!wanted.has(id)) this.end(id, stream);
    for (const id of wanted) if (!this.open.has(id)) this.begin(id, api);
  }

  end(id, stream) {
    stream.abort();
    this.open.delete(id);
  }

  async begin(id, api) {
    const stream = new AbortController();
    this.open.set(id, stream);
    try {
      await api.follow(id, (job) => this.hear(job, stream), stream.signal);
    } catch {
      // The next poll says what is wrong, and follows again.
    }
    if (this.open.get(id) === stream) this.open.delete(id);
  }

  hear(job, stream) {
    if (stream.signal.aborted) return;
    try {
      this.heard(job);
    } catch (bug) {
      reportError(bug); // must not look like a stream that ended
    }
  }
}
