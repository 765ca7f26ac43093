// One phone: its messages, the keyboards under them, what can be typed. Drawn from the server's snapshot.
// By keyboard a phone is one tab stop, its chat; Enter leads into it. In the one that is in use the newest keyboard's
// keys, what stands below them, and the composer are stops too; the arrows lead to what is older.

import { day } from "./clock.js";
import { Tray } from "./tray.js";
import { View } from "./view.js";
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
    this.actions = actions; // { focus(phone), view(file), used(phone, data), moved(phone) }
    this.drawn = new Map(); // message id → { node, state }
    this.active = false; // whether it is the one in use
    this.below = 0; // new messages below what the screen shows
    this.build();
    this.update(snapshot, false);
  }

  build() {
    this.caption = make("header", { className: "caption" });
    this.bell = make("span", { className: "badge", hidden: true, ariaHidden: "true" });
    this.status = make("span", { className: "status" });
    this.messages = make("div", { className: "messages", tabIndex: 0 });
    this.messages.setAttribute("role", "region");
    this.messages.setAttribute("aria-describedby", "phone-hint");
    this.view = new View(this.messages, (low) => {
      this.countBelow(low ? 0 : this.below);
      this.actions.moved(this);
    });
    this.typing = make("div", { className: "typing", hidden: true }, make("i"), make("i"), make("i"), make("span"));
    this.tray = new Tray((text, byKeyboard) => this.fill(text, byKeyboard));
    this.startButton = make("button", { type: "button", className: "start", onclick: () => this.send("/start") });
    this.toasts = make("div", { className: "toasts" });
    this.title = make("h2", { className: "unseen" });
    const head = make("div", { className: "chat-head" },
      make("img", { src: "/page/icon.svg", alt: "", width: 36, height: 36 }),
      make("div", {}, make("strong", {}, "laocert"), this.status));
    this.screen = make("div", { className: "screen" }, head, this.messages, this.toasts, this.composer(), this.startButton);
    this.node = make("section", { className: "phone" }, this.title, this.caption, this.screen, this.tray.node);
    this.messages.append(this.typing);
    this.messages.addEventListener("click", (event) => this.follow(event));
    this.messages.addEventListener("keydown", (event) => this.walk(event));
    this.node.addEventListener("pointerdown", () => this.actions.focus(this));
    this.node.addEventListener("focusin", ({ target }) => { if (target !== this.messages) this.actions.focus(this); });
  }

  composer() {
    this.input = make("input", { type: "text", autocomplete: "off", maxLength: 4096, enterKeyHint: "send" });
    this.menuButton = make("button", { type: "button", className: "round", onclick: () => this.showMenu(this.menu.hidden) }, icon("menu"));
    this.sendButton = make("button", { type: "submit", className: "round send" }, icon("send"));
    // On the page is only the button for it: the browser's own is in the browser's language.
    this.chosen = make("input", { type: "file", accept: ".xlsx,.csv", onchange: () => this.sendFile() });
    this.fileButton = make("button", { type: "button", className: "round attach", onclick: () => this.chosen.click() }, icon("clip"));
    this.downCount = make("span", { className: "badge", hidden: true });
    this.downButton = make("button", { type: "button", className: "round down", hidden: true, onclick: () => this.view.lower() }, icon("down"), this.downCount);
    this.menu = make("div", { className: "menu", hidden: true });
    this.menu.id = `menu-${this.id}`;
    this.menuButton.setAttribute("aria-controls", this.menu.id);
    this.form = make("form", { className: "composer" }, this.menu, this.menuButton, this.input, this.fileButton, this.downButton, this.sendButton);
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
    this.tray.chips.hidden = true;
    this.view.lower();
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
    const isFirst = !this.now;
    let news;
    this.now = now;
    this.view.keep(() => {
      news = this.drawMessages(now.messages);
      this.drawDays(now.messages);
      if (!now.waiting) this.release();
      this.drawFrame(now);
    }, (follows) => isFirst || news.typed || (news.added.length > 0 && follows));
    if (!this.view.low) this.countBelow(this.below + news.added.length);
    this.stops();
    if (news.lostFocus) (news.edited.at(-1) ?? this.messages).focus({ preventScroll: true });
    return tell ? news : { added: [], edited: [] };
  }

  drawMessages(list) {
    const news = { added: [], edited: [], lostFocus: false, typed: false };
    const there = new Set(list.map((message) => message.id));
    for (const [id, { node }] of this.drawn) {
      if (there.has(id)) continue;
      news.lostFocus ||= node.contains(document.activeElement);
      this.drawn.delete(id);
      this.fade(node);
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
        else news.typed = true;
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
    setTimeout(() => this.view.keep(() => node.remove()), 250);
  }

  // --- by keyboard

  activate(on) {
    this.active = on;
    this.node.classList.toggle("active", on);
    this.stops();
  }

  stops() {
    const articles = [...this.messages.querySelectorAll("article:not(.gone)")];
    const newest = articles.findLastIndex((one) => one.querySelector(".key"));
    const from = newest < 0 ? articles.length - 1 : newest;
    const stop = (node, on) => { node.tabIndex = on && this.active ? 0 : -1; };
    articles.forEach((one, i) => { for (const node of one.querySelectorAll("button, a")) stop(node, i >= from); });
    for (const node of this.node.querySelectorAll(".composer :is(button, input), .start, .chip")) stop(node, true);
  }

  walk(event) {
    if (event.key === "Enter" && event.target === this.messages) {
      event.preventDefault();
      this.actions.focus(this);
      (this.messages.querySelector('[tabindex="0"]') ?? (this.startButton.hidden ? this.input : this.startButton)).focus();
    }
    const inside = [...this.messages.querySelectorAll("article:not(.gone) :is(button, a)")];
    const at = inside.indexOf(event.target);
    const step = { ArrowUp: -1, ArrowDown: 1 }[event.key];
    if (at < 0 || !step) return;
    event.preventDefault();
    inside[at + step]?.focus();
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

  button(message, { label, data, url, style, copies }) {
    const text = make("span", { className: "label" }, label);
    if (url) return make("a", { className: "key", href: url, target: "_blank", rel: "noopener noreferrer" }, text);
    const key = make("button", { type: "button", className: `key ${style ?? ""}` }, text);
    if (copies !== null) {
      key.classList.add("copies");
      key.append(icon("copy"));
      key.addEventListener("click", () => this.copy(copies));
      return key;
    }
    key.dataset.data = data;
    key.addEventListener("click", () => {
      this.untoast();
      key.classList.add("busy");
      this.actions.used(this, data);
      post(`/phones/${this.id}/tap`, { message: message.id, data }).catch(() => key.classList.remove("busy"));
    });
    return key;
  }

  // Where the browser refuses, the text can be taken from what says so.
  async copy(text) {
    try {
      await navigator.clipboard.writeText(text);
      this.toast({ text: t("copied") });
    } catch {
      this.toast({ text: `${t("notCopied")} ${text}`, alert: true });
    }
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
    for (const [node, key] of [[this.input, "message"], [this.sendButton, "send"], [this.menuButton, "menu"], [this.fileButton, "attach"], [this.downButton, "down"]]) node.setAttribute("aria-label", t(key));
    this.menuButton.setAttribute("aria-expanded", String(!this.menu.hidden));
    this.drawEmpty(now.started);
    this.tray.draw(now);
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

  // The badge beside the holder; the people above have one too, for who is not on the screen.
  count(unread) {
    this.bell.hidden = unread === 0;
    this.bell.textContent = String(unread);
  }

  countBelow(count) {
    this.below = count;
    this.downButton.hidden = this.view.low;
    this.downCount.hidden = count === 0;
    this.downCount.replaceChildren(String(count), make("span", { className: "unseen" }, ` ${t("newMessage")}`));
  }

  // A tap takes the toast of the one before it away: it would lie about what is on the screen now.
  untoast() {
    this.toasts.querySelector(".toast:not(.alert)")?.remove();
  }

  toast({ text, alert }) {
    document.getElementById("announcer").textContent = text;
    // A new one takes the place of the last; an alert waits for its answer.
    if (!alert) this.untoast();
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
