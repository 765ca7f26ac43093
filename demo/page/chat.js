// One phone: its messages, the keyboards under them, what can be typed. Drawn from the server's snapshot.

import { day } from "./clock.js";
import { icon, language, make, post, t } from "./words.js";

const CLOCK = new Intl.DateTimeFormat("th-TH-u-ca-gregory-nu-latn", { hour: "2-digit", minute: "2-digit", hour12: false, timeZone: "Asia/Bangkok" });
const TAGS = { bold: "b", italic: "i", underline: "u", strikethrough: "s", code: "code", pre: "pre", blockquote: "blockquote", expandable_blockquote: "blockquote" };
const LARGEST = 20 * 2 ** 20; // bytes; Telegram lets a bot fetch no larger one
const calm = matchMedia("(prefers-reduced-motion: reduce)");

// The text with its entities (offsets in UTF-16 units, as in JavaScript), as nodes.
function formatted(text, entities, from = 0, to = text.length) {
  const nodes = [];
  let at = from;
  for (let i = 0; i < entities.length; i++) {
    const { type, offset, length, url } = entities[i];
    if (offset < at || offset + length > to) continue;
    nodes.push(text.slice(at, offset));
    at = offset + length;
    const inner = formatted(text, entities.slice(i + 1), offset, at);
    if (type === "text_link" || type === "url") nodes.push(link(url ?? text.slice(offset, at), inner));
    else nodes.push(TAGS[type] ? make(TAGS[type], {}, ...inner) : make("span", {}, ...inner));
  }
  nodes.push(text.slice(at, to));
  return nodes;
}

function link(url, inner) {
  return /^https?:/.test(url) ? make("a", { href: url, target: "_blank", rel: "noopener noreferrer" }, ...inner) : make("span", {}, ...inner);
}

export class Phone {
  constructor(snapshot, actions) {
    this.id = snapshot.id;
    this.actions = actions; // { focus(phone), view(file), used(phone, data) }
    this.drawn = new Map(); // message id → { node, state }
    this.build();
    this.update(snapshot, false);
  }

  build() {
    this.caption = make("header", { className: "caption" });
    this.bell = make("span", { className: "badge", hidden: true, ariaHidden: "true" });
    this.status = make("span", { className: "status" });
    this.messages = make("div", { className: "messages", tabIndex: 0 });
    this.messages.setAttribute("role", "region");
    this.typing = make("div", { className: "typing", hidden: true }, make("i"), make("i"), make("i"), make("span"));
    this.chips = make("div", { className: "chips", hidden: true });
    this.chips.setAttribute("role", "group");
    this.pinHint = make("p", { className: "pin", hidden: true });
    this.startButton = make("button", { type: "button", className: "start", onclick: () => this.send("/start") });
    this.toasts = make("div", { className: "toasts" });
    this.title = make("h2", { className: "unseen" });
    const head = make("div", { className: "chat-head" },
      make("img", { src: "/page/icon.svg", alt: "", width: 36, height: 36 }),
      make("div", {}, make("strong", {}, "laocert"), this.status));
    this.screen = make("div", { className: "screen" }, head, this.messages, this.toasts, this.chips, this.pinHint, this.composer(), this.startButton);
    this.node = make("section", { className: "phone" }, this.title, this.caption, this.screen);
    this.messages.append(this.typing);
    this.messages.addEventListener("click", (event) => this.follow(event));
    for (const event of ["pointerdown", "focusin"]) this.node.addEventListener(event, () => this.actions.focus(this));
  }

  composer() {
    this.input = make("input", { type: "text", autocomplete: "off", maxLength: 4096, enterKeyHint: "send" });
    this.menuButton = make("button", { type: "button", className: "round", onclick: () => this.showMenu(this.menu.hidden) }, icon("menu"));
    this.sendButton = make("button", { type: "submit", className: "round send" }, icon("send"));
    // On the page is only the button for it: the browser's own is in the browser's language.
    this.chosen = make("input", { type: "file", accept: ".xlsx,.csv", onchange: () => this.sendFile() });
    this.fileButton = make("button", { type: "button", className: "round attach", onclick: () => this.chosen.click() }, icon("clip"));
    this.menu = make("div", { className: "menu", hidden: true });
    this.menu.id = `menu-${this.id}`;
    this.menuButton.setAttribute("aria-controls", this.menu.id);
    this.form = make("form", { className: "composer" }, this.menu, this.menuButton, this.input, this.fileButton, this.sendButton);
    this.form.addEventListener("submit", (event) => {
      event.preventDefault();
      const text = this.input.value.trim();
      this.input.value = "";
      if (text) this.send(text);
    });
    this.form.addEventListener("keydown", (event) => {
      if (event.key !== "Escape" || this.menu.hidden) return;
      this.showMenu(false);
      this.menuButton.focus();
    });
    return this.form;
  }

  showMenu(open) {
    this.menu.hidden = !open;
    this.menuButton.setAttribute("aria-expanded", String(open));
    if (open) this.menu.querySelector("button")?.focus();
  }

  send(text) {
    this.showMenu(false);
    this.chips.hidden = true;
    post(`/phones/${this.id}/send`, { text });
  }

  // One file at a time, as it is; the same one may be chosen again.
  async sendFile() {
    const [file] = this.chosen.files;
    this.chosen.value = "";
    if (!file) return;
    if (file.size > LARGEST) return this.toast({ text: t("tooLarge"), alert: true });
    const url = await new Promise((resolve) => {
      const reader = new FileReader();
      reader.onload = () => resolve(reader.result);
      reader.readAsDataURL(file);
    });
    post(`/phones/${this.id}/file`, { name: file.name, mime: file.type, content: url.slice(url.indexOf(",") + 1) });
  }

  // A link to the bot itself starts it with the link's code, as Telegram does; it is not at the real Telegram.
  follow(event) {
    const code = event.target.closest("a")?.href.match(/^https:\/\/t\.me\/\w+\?start=([\w-]{1,64})$/)?.[1];
    if (!code) return;
    event.preventDefault();
    this.send(`/start ${code}`);
  }

  // The chip goes away; who came to it by keyboard must not be lost with it.
  fill(text, byKeyboard) {
    this.send(text);
    if (byKeyboard) this.input.focus({ preventScroll: true });
  }

  // Draw what differs; `tell` is false for what was there before this page was.
  update(now, tell = true) {
    const before = this.now;
    this.now = now;
    const news = this.drawMessages(now.messages);
    this.drawDays(now.messages);
    if (!now.waiting) this.release();
    this.drawFrame(now);
    const changed = news.added.length || news.edited.length || news.removed;
    if (changed || now.waiting !== before?.waiting) this.messages.scrollTop = this.messages.scrollHeight;
    if (news.lostFocus) (news.edited.at(-1) ?? this.messages).focus({ preventScroll: true });
    return tell ? news : { added: [], edited: [], removed: 0 };
  }

  drawMessages(list) {
    const news = { added: [], edited: [], removed: 0, lostFocus: false };
    const there = new Set(list.map((message) => message.id));
    for (const [id, { node }] of this.drawn) {
      if (there.has(id)) continue;
      news.lostFocus ||= node.contains(document.activeElement);
      this.drawn.delete(id);
      this.fade(node);
      news.removed += 1;
    }
    for (const message of list) {
      const state = JSON.stringify([message, language()]);
      const old = this.drawn.get(message.id);
      if (old?.state === state) continue;
      const keys = JSON.stringify(message.buttons);
      if (old?.keys === keys) {
        // The keys stay where they are: a thumb may be on one, as on a keypad.
        old.node.querySelector(".bubble").replaceWith(this.bubble(message));
        for (const key of old.node.querySelectorAll(".busy")) key.classList.remove("busy");
        old.node.classList.add("fresh");
        news.edited.push(old.node);
        old.state = state;
        continue;
      }
      const node = this.article(message);
      if (old) {
        news.lostFocus ||= old.node.contains(document.activeElement);
        old.node.replaceWith(node);
        node.classList.add("fresh");
        news.edited.push(node);
      } else {
        this.typing.before(node);
        if (message.outgoing) news.added.push(node);
      }
      this.drawn.set(message.id, { node, state, keys });
    }
    return news;
  }

  // What a tap brought may stand below, and its own message be as before. A digit waits for its dot.
  release() {
    for (const key of this.messages.querySelectorAll(".key.busy")) if (!/^\d$/.test(key.textContent)) key.classList.remove("busy");
  }

  // Where a day ends, the next one is named, as Telegram does.
  drawDays(list) {
    for (const node of this.messages.querySelectorAll(".day")) node.remove();
    const days = list.map((message) => day(message.date * 1000));
    days.forEach((name, i) => {
      if (i && name !== days[i - 1]) this.drawn.get(list[i].id).node.before(make("p", { className: "day" }, name));
    });
  }

  fade(node) {
    if (calm.matches) return node.remove();
    node.classList.add("gone");
    node.inert = true;
    setTimeout(() => node.remove(), 250);
  }

  article(message) {
    const rows = message.buttons.map((row) => make("div", { className: "row" }, ...row.map((button) => this.button(message, button))));
    const node = make("article", { className: message.outgoing ? "from-bot" : "from-me", tabIndex: -1 }, this.bubble(message), ...rows);
    node.dataset.message = message.id;
    return node;
  }

  bubble(message) {
    const text = make("div", { className: "text" }, ...formatted(message.text, message.entities));
    const time = make("time", { dateTime: new Date(message.date * 1000).toISOString() }, CLOCK.format(message.date * 1000));
    if (message.protected) time.prepend(make("span", { className: "protected", title: t("protected") }, icon("lock"), make("span", { className: "unseen" }, t("protected"))));
    return make("div", { className: "bubble" }, ...this.attachments(message), message.text ? text : null, time);
  }

  button(message, { label, data, url, style }) {
    if (url) return make("a", { className: "key", href: url, target: "_blank", rel: "noopener noreferrer" }, label);
    const key = make("button", { type: "button", className: `key ${style ?? ""}` }, label);
    key.dataset.data = data;
    key.addEventListener("click", () => {
      key.classList.add("busy");
      this.actions.used(this, data);
      post(`/phones/${this.id}/tap`, { message: message.id, data }).catch(() => key.classList.remove("busy"));
    });
    return key;
  }

  attachments({ photo, document: file, text }) {
    if (photo) {
      const { file_id: id, width, height } = photo.at(-1);
      const picture = make("img", { src: `/files/${encodeURIComponent(id)}`, alt: text || t("open"), width, height, loading: "eager" });
      return [make("button", { type: "button", className: "picture", onclick: () => this.actions.view({ id, name: text, mime: "image/png" }) }, picture)];
    }
    if (!file) return [];
    const { file_id: id, file_name: name, mime_type: mime } = file;
    return [make("button", { type: "button", className: "file", onclick: () => this.actions.view({ id, name, mime }) }, icon("file"), make("span", {}, name), make("span", { className: "unseen" }, ` ${t("open")}`))];
  }

  drawFrame(now) {
    const who = now.number > 1 ? `${t(now.role)} ${t("second")} ${now.number}` : t(now.role);
    const where = [now.unit, now.place].filter(Boolean).join(" · ");
    this.label = [t("phoneOf"), now.name, now.unit || t("outsider")].join(" ");
    this.node.setAttribute("aria-label", this.label);
    this.node.dataset.role = now.role;
    this.title.textContent = this.label;
    this.caption.replaceChildren(make("span", { className: "who" }, who, this.bell), make("span", { className: "where" }, [where, now.name].filter(Boolean).join(" · ")));
    this.status.textContent = t("bot");
    const troubled = document.body.classList.contains("troubled");
    // A keypad must not move under a thumb at every digit.
    this.typing.hidden = !now.waiting || Boolean(now.keypad && !troubled);
    this.typing.lastChild.textContent = t(troubled ? "held" : "typing");
    this.messages.setAttribute("aria-label", `${t("messages")} ${this.label}`);
    this.startButton.textContent = t("start");
    this.startButton.hidden = now.started;
    this.form.hidden = !now.started;
    this.input.placeholder = t("message");
    for (const [node, key] of [[this.input, "message"], [this.sendButton, "send"], [this.menuButton, "menu"], [this.fileButton, "attach"], [this.chips, "suggestions"]]) node.setAttribute("aria-label", t(key));
    this.menuButton.setAttribute("aria-expanded", String(!this.menu.hidden));
    this.drawEmpty(now.started);
    this.drawChips(now.suggestions);
    this.drawPinHint(now.keypad);
    const commands = JSON.stringify(now.commands);
    if (commands === this.commands) return;
    this.commands = commands;
    this.menu.replaceChildren(...now.commands.map(({ command, description }) =>
      make("button", { type: "button", onclick: () => this.send(`/${command}`) }, make("b", {}, `/${command}`), make("span", {}, description))));
  }

  drawEmpty(started) {
    this.empty?.remove();
    if (started) return;
    this.empty = make("div", { className: "empty" }, make("img", { src: "/page/icon.svg", alt: "", width: 72, height: 72 }), make("strong", {}, t("emptyTitle")), make("span", {}, t("emptyText")));
    this.messages.prepend(this.empty);
  }

  drawChips(suggestions) {
    const state = JSON.stringify([suggestions, language()]);
    if (state !== this.chipState) {
      this.chipState = state;
      this.chips.replaceChildren(...suggestions.map(({ kind, text }) =>
        make("button", { type: "button", className: "chip", onclick: (event) => this.fill(text, event.detail === 0) },
          make("small", {}, t(kind)), make("span", {}, kind.startsWith("password") ? "•".repeat(text.length) : text))));
    }
    this.chips.hidden = suggestions.length === 0;
  }

  // The sample PIN, with the digit that comes next; read aloud as one number.
  drawPinHint(keypad) {
    this.pinHint.hidden = !keypad;
    if (!keypad) return;
    const digits = [...keypad.pin].map((digit, i) => make("span", { className: i < keypad.entered ? "done" : i === keypad.entered ? "now" : "" }, digit));
    this.pinHint.replaceChildren(make("small", {}, t("samplePin")), " ", make("span", { className: "digits" }, ...digits));
  }

  // The badge beside the holder; the people above have one too, for who is not on the screen.
  count(unread) {
    this.bell.hidden = unread === 0;
    this.bell.textContent = String(unread);
  }

  toast({ text, alert }) {
    const toast = make("div", { className: alert ? "toast alert" : "toast" }, make("span", {}, text));
    toast.setAttribute("role", alert ? "alertdialog" : "status");
    if (alert) {
      toast.setAttribute("aria-label", text);
      toast.append(make("button", { type: "button", onclick: () => toast.remove() }, t("ok")));
    } else setTimeout(() => toast.remove(), 3500);
    this.toasts.append(toast);
    if (alert) toast.querySelector("button").focus();
  }
}
