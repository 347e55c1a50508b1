// Keeps every region marked data-live as the server has it now: fetches the page again and puts in what differs.
// data-every on one of them says after how many seconds; a page that nobody sees asks for nothing.
const regions = () => [...document.querySelectorAll("[data-live][id]")];
let failures = 0;
let timer = 0;
let asking = null;

const pause = () => {
  const every = regions().map((each) => Number(each.dataset.every || 0)).filter(Boolean);
  const seconds = every.length ? Math.min(...every) : 0;
  return seconds && 1000 * Math.min(30, seconds * 2 ** failures);
};

const put = (old, fresh) => {
  if (old.outerHTML === fresh.outerHTML) return;
  const focused = document.activeElement && old.contains(document.activeElement) ? document.activeElement.id : "";
  for (const kept of old.querySelectorAll("input[type=checkbox][id]")) {
    const twin = fresh.querySelector(`#${CSS.escape(kept.id)}`);
    if (twin) twin.checked = kept.checked;
  }
  for (const kept of old.querySelectorAll("details[id]")) {
    const twin = fresh.querySelector(`#${CSS.escape(kept.id)}`);
    if (twin) twin.open = kept.open;
  }
  old.replaceWith(fresh);
  if (focused) document.getElementById(focused)?.focus({ preventScroll: true });
};

/** Bring every region up to date; false when the service did not answer. */
export const refresh = async () => {
  asking?.abort();
  const mine = (asking = new AbortController());
  try {
    const response = await fetch(location.href, { headers: { Accept: "text/html" }, signal: mine.signal });
    if (response.redirected) { // the session is over: its page says so, and leads back here
      location.assign(response.url);
      return true;
    }
    if (!response.ok) throw new Error(`${response.status}`);
    const page = new DOMParser().parseFromString(await response.text(), "text/html");
    for (const old of regions()) {
      const fresh = page.getElementById(old.id);
      if (fresh) put(old, document.importNode(fresh, true));
    }
    failures = 0;
    document.dispatchEvent(new CustomEvent("refreshed"));
    return true;
  } catch (error) {
    if (error.name === "AbortError") return true;
    failures += 1;
    return false;
  } finally {
    if (asking === mine) asking = null;
  }
};

const round = async () => {
  clearTimeout(timer);
  if (!document.hidden) await refresh();
  plan();
};

const plan = () => {
  clearTimeout(timer);
  const wait = pause();
  if (wait && !document.hidden) timer = setTimeout(round, wait);
};

document.addEventListener("visibilitychange", () => (document.hidden ? clearTimeout(timer) : round()));
plan();
