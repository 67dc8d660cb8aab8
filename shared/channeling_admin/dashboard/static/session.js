// Who is signed in. The admin token comes in the address's fragment, which browsers send to nobody, is taken out of
// the address at once, and is kept for this tab alone.

const KEY = "channeling-admin-token";

/** The token of this tab, or null: first of the address (`#token=…`), else kept from before. */
export function takeToken() {
  const fragment = new URLSearchParams(location.hash.slice(1));
  const given = fragment.get("token");
  if (given !== null) {
    history.replaceState(history.state, "", location.pathname + location.search);
    keepToken(given.trim());
  }
  return sessionStorage.getItem(KEY);
}

/** Keep a token for this tab. */
export function keepToken(token) {
  sessionStorage.setItem(KEY, token);
}

/** Forget the token. */
export function forgetToken() {
  sessionStorage.removeItem(KEY);
}
