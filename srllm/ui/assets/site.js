// Delegated handlers for what needs no server: theme, notice, examples, copy, changes, deep link,
// keyboard, and the state of the model in the header. No request leaves this server.
(() => {
  "use strict";
  const TEXT_LINK_LIMIT = 8000; // characters; longer links break in mail and chat programs
  const store = {
    get(key) { try { return localStorage.getItem(key); } catch { return null; } },
    set(key, value) { try { localStorage.setItem(key, value); } catch { /* private window */ } },
  };
  const find = (selector) => document.querySelector(selector);
  const textBox = () => find("#sr-text textarea");

  function say(sentence) {
    let region = find("#sr-live");
    if (!region) {
      region = document.createElement("div");
      region.id = "sr-live";
      region.className = "sr-hidden";
      region.setAttribute("role", "status");
      region.setAttribute("aria-live", "polite");
      document.body.append(region);
    }
    region.textContent = sentence;
  }

  // Theme: the visitor's choice, else the system's.
  const systemDark = matchMedia("(prefers-color-scheme: dark)");
  const wantsDark = () => (store.get("sr-theme") ?? (systemDark.matches ? "dark" : "light")) === "dark";
  function applyTheme() {
    if (document.body.classList.contains("dark") !== wantsDark()) {
      document.body.classList.toggle("dark", wantsDark());
    }
  }
  function startTheme() {
    applyTheme();
    systemDark.addEventListener("change", applyTheme);
    new MutationObserver(applyTheme).observe(document.body, { attributeFilter: ["class"] });
  }

  function fill(text) {
    const box = textBox();
    if (!box) return;
    const setter = Object.getOwnPropertyDescriptor(HTMLTextAreaElement.prototype, "value").set;
    setter.call(box, text);
    box.dispatchEvent(new Event("input", { bubbles: true }));
    box.focus();
  }

  async function copy(text, button) {
    try {
      await navigator.clipboard.writeText(text);
    } catch { // no permission, or not a secure context
      const area = document.createElement("textarea");
      area.value = text;
      area.className = "sr-hidden";
      document.body.append(area);
      area.select();
      document.execCommand("copy");
      area.remove();
      button.focus();
    }
    const word = button.dataset.word ?? button.textContent;
    button.dataset.word = word;
    button.textContent = "Copied";
    say("Copied.");
    setTimeout(() => { button.textContent = word; }, 1500);
  }

  function copyLink(button) {
    const text = textBox()?.value ?? "";
    if (!text.trim()) return say("There is no text to link to.");
    if (text.length > TEXT_LINK_LIMIT) {
      button.textContent = "Too long for a link";
      say("The text is too long for a link.");
      return;
    }
    const link = new URL(location.href);
    link.hash = "text=" + encodeURIComponent(text);
    history.replaceState(null, "", link);
    copy(link.href, button);
  }

  const actions = {
    copy: (button) => copy(button.dataset.copy, button),
    link: copyLink,
    example: (button) => fill(button.dataset.text),
    changes(button) {
      const shown = button.closest(".sr-column").classList.toggle("sr-show-diff");
      button.setAttribute("aria-pressed", String(shown));
    },
    theme() {
      store.set("sr-theme", wantsDark() ? "light" : "dark");
      applyTheme();
    },
    notice() {
      store.set("sr-notice", "seen");
      document.body.classList.remove("sr-ask-notice");
      textBox()?.focus();
    },
  };
  document.addEventListener("click", (event) => {
    const button = event.target.closest?.("[data-act]");
    if (button && actions[button.dataset.act]) actions[button.dataset.act](button);
  });

  document.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey) && textBox()) {
      event.preventDefault();
      event.stopPropagation();
      find("#sr-go")?.click();
    }
  }, true);

  // Deep link: the part after # never reaches the server.
  function readLink() {
    if (!location.hash.startsWith("#text=")) return;
    try {
      fill(decodeURIComponent(location.hash.slice("#text=".length)));
    } catch { /* a broken link fills nothing */ }
  }
  function whenReady(test, then) {
    if (test()) return then();
    const observer = new MutationObserver(() => {
      if (test()) { observer.disconnect(); then(); }
    });
    observer.observe(document.documentElement, { childList: true, subtree: true });
  }

  // The model's state: asked for until it is loaded, and again from time to time after a failure.
  async function watchModel() {
    let wait = 700;
    try {
      const answer = await (await fetch("/healthz", { cache: "no-store" })).json();
      const chip = find("#sr-model-chip");
      if (chip) {
        document.body.dataset.model = answer.model.state;
        const words = { idle: "not loaded yet", loading: "loading ...", ready: "ready", failed: "not available" };
        find("#sr-model-word").textContent = words[answer.model.state];
        find("#sr-model-state").textContent = answer.model.message;
      }
      if (answer.model.state === "ready") wait = 30000;
      if (answer.model.state === "failed") wait = 5000;
    } catch { wait = 5000; }
    setTimeout(watchModel, wait);
  }

  // What the status line says is said aloud too; errors announce themselves (role alert).
  function announceStatus() {
    const status = find("#sr-status");
    new MutationObserver(() => {
      const line = status.querySelector(".sr-message:not([role])");
      if (line && line.textContent !== find("#sr-live")?.textContent) say(line.textContent);
    }).observe(status, { childList: true, subtree: true, characterData: true });
  }

  function start() {
    startTheme();
    if (store.get("sr-notice") !== "seen") document.body.classList.add("sr-ask-notice");
    whenReady(() => find("#sr-model-chip"), watchModel);
    whenReady(() => find("#sr-status"), announceStatus);
    whenReady(textBox, () => { readLink(); addEventListener("hashchange", readLink); });
  }
  if (document.body) start(); else document.addEventListener("DOMContentLoaded", start);
})();
