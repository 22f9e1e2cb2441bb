// The theme, set before the first paint: what the person chose here, else what the system says. Not a module, which is late.

(() => {
  const KEY = "imgserve.theme";
  const system = matchMedia("(prefers-color-scheme: dark)");
  const root = document.documentElement;
  const dark = () => (root.dataset.theme ?? (system.matches ? "dark" : "light")) === "dark";

  function kept() {
    try {
      return localStorage.getItem(KEY);
    } catch {
      return null; // a browser that keeps nothing
    }
  }

  function keep(theme) {
    try {
      if (theme) localStorage.setItem(KEY, theme);
      else localStorage.removeItem(KEY);
    } catch {
      // It holds until the page is left.
    }
  }

  function show() {
    document.getElementById("theme")?.setAttribute("aria-checked", String(dark()));
  }

  const theme = kept();
  if (theme === "dark" || theme === "light") root.dataset.theme = theme;
  system.addEventListener("change", show);
  document.addEventListener("DOMContentLoaded", () => {
    show();
    document.getElementById("theme").addEventListener("click", () => {
      const wanted = dark() ? "light" : "dark";
      const asSystem = (wanted === "dark") === system.matches;
      if (asSystem) delete root.dataset.theme;
      else root.dataset.theme = wanted;
      keep(asSystem ? "" : wanted);
      show();
    });
  });
})();
