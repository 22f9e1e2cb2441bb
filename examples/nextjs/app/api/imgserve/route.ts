// imgserve calls this when a job has ended that was ordered with this address as its `webhook`.
import { ImgserveError, verifyWebhook } from "imgserve/jobs";
import { revalidatePath } from "next/cache";

export async function POST(request: Request): Promise<Response> {
  try {
    const message = await verifyWebhook({
      // The signature covers the bytes as they came, so nothing may parse them before.
      body: await request.arrayBuffer(),
      headers: request.headers,
      secret: process.env.IMGSERVE_WEBHOOK_SECRET,
    });
    // Pages that Next.js has kept are made anew, with the cut-out in them.
    if (message.type === "job.done") revalidatePath("/", "layout");
    return new Response(null, { status: 204 });
  } catch (wrong) {
    if (!(wrong instanceof ImgserveError)) throw wrong;
    return new Response(wrong.message, { status: 400 });
  }
}
