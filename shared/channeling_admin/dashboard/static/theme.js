// Light or dark: as the system has it, unless this browser was told otherwise.

const KEY = "channeling-theme";
const THEMES = ["system", "light", "dark"];

/** The theme that is chosen: system, light or dark. */
export function theme() {
  const kept = localStorage.getItem(KEY);
  return THEMES.includes(kept) ? kept : "system";
}

/** Show the page in the theme that is chosen. */
export function applyTheme() {
  if (theme() === "system") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme();
}

/** Choose the next theme, show it, and return it. */
export function nextTheme() {
  localStorage.setItem(KEY, THEMES[(THEMES.indexOf(theme()) + 1) % THEMES.length]);
  applyTheme();
  return theme();
}
