// The search page beyond what it does without a script: addresses without empty fields, marks on all rows.

// An address says what is asked for, and nothing of what is not; without this the server tidies it up.
document.addEventListener("formdata", (event) => {
  if (event.target.id !== "search") return;
  for (const [name, value] of [...event.formData.entries()]) {
    if (typeof value === "string" && !value.trim()) {
      const kept = event.formData.getAll(name).filter((one) => one.trim());
      event.formData.delete(name);
      kept.forEach((one) => event.formData.append(name, one));
    }
  }
});

const all = document.getElementById("mark-all");
if (all) {
  all.hidden = false;
  const rows = () => [...document.querySelectorAll('#results input[name="file"]')];
  all.addEventListener("change", () => rows().forEach((one) => (one.checked = all.checked)));
  document.getElementById("results").addEventListener("change", () => {
    const marked = rows().filter((one) => one.checked).length;
    all.checked = marked > 0 && marked === rows().length;
    all.indeterminate = marked > 0 && !all.checked;
  });
}
