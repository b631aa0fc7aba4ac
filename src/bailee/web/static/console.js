"use strict";
// The setup link carries its token behind the #, which browsers do not send. Move it into the form, and out of sight.
function takeToken() {
  const field = document.querySelector("[data-from-fragment]");
  const token = window.location.hash.slice(1);
  if (!field || !/^[A-Za-z0-9_-]{20,}$/.test(token)) return;
  field.value = token;
  field.closest(".field").hidden = true;
  window.history.replaceState(null, "", window.location.pathname);
}
takeToken();
window.addEventListener("hashchange", takeToken);
