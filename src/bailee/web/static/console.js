"use strict";
// Mailed links carry their token behind the #, which browsers do not send. Move it into the form, and out of sight.
function takeToken() {
  const field = document.querySelector("[data-from-fragment]");
  const token = window.location.hash.slice(1);
  if (!field || !/^[A-Za-z0-9_-]{20,}$/.test(token)) return;
  field.value = token;
  field.closest(".field").hidden = true;
  for (const part of document.querySelectorAll("[data-without-token]")) part.hidden = true;
  for (const part of document.querySelectorAll("details[data-with-token]")) part.open = true;
  window.history.replaceState(null, "", window.location.pathname);
  if (field.form.hasAttribute("data-send-at-once")) field.form.submit();
}
takeToken();
window.addEventListener("hashchange", takeToken);

// Passkeys: the browser answers a challenge, and an ordinary form carries the answer.
const keys = window.PublicKeyCredential;
async function askPasskey(form) {
  const answer = await fetch(form.dataset.options, { method: "POST", body: new URLSearchParams(new FormData(form)) });
  if (answer.redirected) {
    window.location.assign(answer.url);
    return;
  }
  if (!answer.ok) throw new Error(`The server answered ${answer.status}.`);
  const { challenge_id, options } = await answer.json();
  const credential = form.dataset.passkey === "create"
    ? await navigator.credentials.create({ publicKey: keys.parseCreationOptionsFromJSON(options) })
    : await navigator.credentials.get({ publicKey: keys.parseRequestOptionsFromJSON(options) });
  form.elements.challenge_id.value = challenge_id;
  form.elements.answer.value = JSON.stringify(credential.toJSON());
  form.submit();
}
for (const form of document.querySelectorAll("form[data-passkey]")) {
  form.hidden = !(keys && keys.parseCreationOptionsFromJSON && keys.parseRequestOptionsFromJSON);
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const fault = form.querySelector("[data-fault]");
    const button = form.querySelector("button");
    fault.hidden = true;
    button.disabled = true;
    askPasskey(form).catch(() => {
      fault.textContent = form.dataset.passkey === "create"
        ? "No passkey was made. Try again, or use another device."
        : "No passkey answered. Try again, or use another way.";
      fault.hidden = false;
    }).finally(() => { button.disabled = false; });
  });
}

// A file is sent as it is: the page behind it takes no forms of files.
for (const form of document.querySelectorAll("form[data-upload]")) {
  form.hidden = false;
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const fault = form.querySelector("[data-fault]");
    const [file] = form.querySelector("input[type=file]").files;
    fault.hidden = true;
    const answer = await fetch(`${form.dataset.upload}/${encodeURIComponent(file.name)}`, {
      method: "PUT", body: file, headers: { "Content-Type": file.type || "application/octet-stream" },
    }).catch(() => null);
    if (answer && answer.ok) {
      window.location.assign((await answer.json()).next);
      return;
    }
    fault.textContent = answer ? `The file is not kept: the server answered ${answer.status}.` : "The file could not be sent.";
    fault.hidden = false;
  });
}

// What is shown once, on paper.
for (const button of document.querySelectorAll("[data-print]")) {
  button.hidden = false;
  button.addEventListener("click", () => window.print());
}

// Parts of a page that are renewed while somebody looks at them, until one comes that is not to be renewed any more.
async function pageAt(path) {
  const answer = await fetch(path).catch(() => null);
  if (!answer || !answer.ok || answer.redirected) return null;
  return new DOMParser().parseFromString(await answer.text(), "text/html");
}
setInterval(async () => {
  const pages = new Map();
  for (const part of document.querySelectorAll("[data-live]")) {
    if (document.hidden || part.contains(document.activeElement)) continue;
    const path = part.dataset.live;
    if (!pages.has(path)) pages.set(path, await pageAt(path));
    const made = pages.get(path)?.querySelector(part.id ? `#${part.id}` : "[data-live]");
    if (made) part.replaceWith(document.adoptNode(made));
  }
}, 3000);
