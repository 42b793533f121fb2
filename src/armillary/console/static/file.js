// The forms for cards: one at a time, closed by Escape, with the focus where it was.

function close(row, back) {
  const card = row.previousElementSibling;
  row.remove();
  if (back) (card ? card.querySelector("button") : document.querySelector("button[form='pick'][value$=':']"))?.focus();
}

document.body.addEventListener("htmx:beforeSwap", (event) => {
  if (!event.detail.shouldSwap || !event.detail.serverResponse.includes('<tr class="editing"')) return;
  document.querySelectorAll("tr.editing").forEach((row) => close(row, false));
});

document.addEventListener("click", (event) => {
  if (event.target.closest("[data-cancel]")) close(event.target.closest("tr.editing"), true);
});

document.addEventListener("keydown", (event) => {
  const row = event.key === "Escape" && event.target.closest("tr.editing");
  if (row) close(row, true);
});

// The history is left alone while somebody writes in it why an edit is taken back.
document.body.addEventListener("htmx:beforeRequest", (event) => {
  if (event.detail.elt.id === "history" && document.querySelector("#history input:focus")) event.preventDefault();
});
