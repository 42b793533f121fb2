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
