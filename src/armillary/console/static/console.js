// What every page does beyond reading: news while it is open, copying, notices. Nothing of it is needed to read.

const connection = document.getElementById("connection");

// A page that shows what changes says so by `data-live="frames,work"` on an element; parts of it are asked for again by
// `hx-trigger="live:frames from:body"`. The stream is held only while the page is seen: browsers allow six connections
// to a host, and forgotten tabs would use them up.
const kinds = [...new Set([...document.querySelectorAll("[data-live]")].flatMap((one) => one.dataset.live.split(",")))];
let source = null;
let waiting = 0;

function tell(kind) {
  document.body.dispatchEvent(new CustomEvent(`live:${kind}`, { bubbles: true }));
}

function listen() {
  if (source || !kinds.length || document.hidden) return;
  source = new EventSource(`/live?on=${kinds.join(",")}`);
  source.onopen = () => {
    waiting = 0;
    connection.hidden = true;
  };
  source.onerror = () => {
    connection.hidden = false;
    // The browser gives up after some answers; it is tried again, with pauses that grow to ten seconds.
    if (source && source.readyState === EventSource.CLOSED) {
      rest();
      waiting = Math.min((waiting || 500) * 2, 10000);
      setTimeout(listen, waiting);
    }
  };
  kinds.forEach((kind) => source.addEventListener(kind, () => tell(kind)));
}

function rest() {
  if (source) source.close();
  source = null;
}

document.addEventListener("visibilitychange", () => {
  if (document.hidden) rest();
  else listen();
});
// A page that is left keeps no connection, also while the browser remembers it for the way back.
addEventListener("pagehide", rest);
addEventListener("pageshow", listen);
listen();

document.addEventListener("click", async (event) => {
  const copier = event.target.closest("[data-copy]");
  if (copier) {
    await navigator.clipboard.writeText(document.getElementById(copier.dataset.copy).textContent);
    const word = copier.textContent;
    copier.textContent = "Copied";
    setTimeout(() => (copier.textContent = word), 1500);
  }
  const dismissed = event.target.closest("[data-dismiss]");
  if (dismissed) dismissed.closest(".notice").remove();
});

// A thumbnail that there is none of, or that may not be seen, leaves its frame empty.
document.addEventListener("error", (event) => {
  if (event.target.matches && event.target.matches(".card img, td img")) event.target.classList.add("absent");
}, true);

// Requests of scripts that reach nobody say so, and go away when one does.
document.body.addEventListener("htmx:sendError", () => (connection.hidden = false));
document.body.addEventListener("htmx:afterOnLoad", () => { if (!kinds.length) connection.hidden = true; });
