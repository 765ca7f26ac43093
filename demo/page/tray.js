// Under each phone, and no part of it: what the demonstration suggests. What could be typed, the sample PIN, or why a
// button has a dashed frame.

import { language, make, t } from "./words.js";

export class Tray {
  constructor(fill) {
    this.fill = fill; // (text, whether by keyboard)
    this.tag = make("small", { className: "tag" });
    this.chips = make("div", { className: "chips", hidden: true });
    this.chips.setAttribute("role", "group");
    this.pin = make("p", { className: "pin", hidden: true });
    this.word = make("p", { className: "word" });
    this.node = make("div", { className: "tray" }, this.tag, this.chips, this.pin, this.word);
    this.node.setAttribute("role", "group");
  }

  // The chip that is to be tapped, if there is one.
  get chip() {
    return this.chips.hidden ? null : this.chips.querySelector("button");
  }

  draw({ suggestions, keypad }) {
    this.tag.textContent = t("tag");
    this.node.setAttribute("aria-label", t("tray"));
    this.chips.setAttribute("aria-label", t("suggestions"));
    this.drawChips(suggestions);
    this.drawPin(keypad);
    this.word.hidden = Boolean(this.chip || keypad);
  }

  drawChips(suggestions) {
    const state = JSON.stringify([suggestions, language()]);
    if (state !== this.state) {
      this.state = state;
      this.chips.replaceChildren(...suggestions.map(({ kind, text }) =>
        make("button", { type: "button", className: "chip", onclick: (event) => this.fill(text, event.detail === 0) },
          make("small", {}, t("types") + t(kind)), make("span", {}, kind.startsWith("password") ? "•".repeat(text.length) : text))));
    }
    this.chips.hidden = suggestions.length === 0;
  }

  // The sample PIN, with the digit that comes next; read aloud as one number.
  drawPin(keypad) {
    this.pin.hidden = !keypad;
    if (!keypad) return;
    const digits = [...keypad.pin].map((digit, i) => make("span", { className: i < keypad.entered ? "done" : i === keypad.entered ? "now" : "" }, digit));
    this.pin.replaceChildren(make("small", {}, t("samplePin")), " ", make("span", { className: "digits" }, ...digits));
  }

  say(text) {
    if (this.word.textContent !== text) this.word.textContent = text;
  }
}
