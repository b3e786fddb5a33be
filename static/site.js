// What pages do beyond htmx. Everything here is a comfort: each page works without it.
"use strict";

const root = document.documentElement;

// The theme: the system's until it is switched, then remembered.

function isDark() {
  if (root.dataset.theme) return root.dataset.theme === "dark";
  return matchMedia("(prefers-color-scheme: dark)").matches;
}

document.querySelectorAll("[data-theme-switch]").forEach((button) => {
  button.hidden = false;
  button.addEventListener("click", () => {
    root.dataset.theme = isDark() ? "light" : "dark";
    const secure = location.protocol === "https:" ? "; secure" : "";
    document.cookie = `theme=${root.dataset.theme}; path=/; max-age=31536000; samesite=lax${secure}`;
  });
});

// A slash leads to the search from anywhere but a field.

document.addEventListener("keydown", (event) => {
  const inField = event.target.closest?.("input, textarea, select, [contenteditable]");
  if (event.key === "/" && !inField && !event.ctrlKey && !event.metaKey && !event.altKey) {
    const search = document.querySelector("[data-search]");
    if (search) {
      event.preventDefault();
      search.focus();
      search.select();
    }
  }
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey) && event.target.form) {
    event.target.form.requestSubmit();
  }
});

// Copying: a button with the text itself, or with the element that shows it.

function showCopyButtons(within) {
  within.querySelectorAll("[data-copy], [data-copy-from]").forEach((button) => {
    button.hidden = false;
  });
}

document.addEventListener("click", async (event) => {
  const button = event.target.closest?.("[data-copy], [data-copy-from]");
  if (!button) return;
  const source = button.dataset.copyFrom && document.getElementById(button.dataset.copyFrom);
  const text = source ? source.textContent : button.dataset.copy;
  await navigator.clipboard.writeText(text);
  const before = button.innerHTML;
  button.textContent = "Copied";
  setTimeout(() => {
    button.innerHTML = before;
  }, 1200);
});

showCopyButtons(document);
document.addEventListener("htmx:load", (event) => showCopyButtons(event.detail.elt));

// What was typed into a form is kept while its writer goes away to sign in.

document.querySelectorAll("[data-keep]").forEach((field) => {
  const key = `keep:${location.pathname}:${field.name}`;
  const kept = sessionStorage.getItem(key);
  if (kept !== null) {
    field.value = kept;
    sessionStorage.removeItem(key);
  }
  document.querySelectorAll("[data-keeps]").forEach((link) => {
    link.addEventListener("click", () => sessionStorage.setItem(key, field.value));
  });
});

// A choice that shows another page does so at once; its button is for those without scripts.

document.querySelectorAll("form[data-autosubmit]").forEach((form) => {
  form.querySelector("button").hidden = true;
  form.addEventListener("change", () => form.requestSubmit());
});

// A run says that it is under way, and for how long.

document.addEventListener("htmx:beforeRequest", (event) => {
  const words = event.target.matches?.("[data-run]") && event.target.querySelector("[data-running]");
  if (!words) return;
  const before = words.textContent;
  const began = performance.now();
  const tick = () => {
    words.textContent = `${words.dataset.running} ${((performance.now() - began) / 1000).toFixed(1)} s`;
  };
  const timer = setInterval(tick, 100);
  words.textContent = words.dataset.running;
  event.target.addEventListener(
    "htmx:afterRequest",
    () => {
      clearInterval(timer);
      words.textContent = before;
    },
    { once: true },
  );
});
