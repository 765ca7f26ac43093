// Guidance: the next thing to tap stands out, the steps of the job, and what just happened behind.

import { language, make, post, redraw, t } from "./words.js";

const $ = (id) => document.getElementById(id);
const CONFIRM = "confirm:"; // the one red button of the job; others end links, and are not to be tapped by the way
const MARK = "sm:"; // what a record of a spot-check is found to be
const ERASE = "⌫"; // on every keypad
const OFF = "off";
const used = new Map(); // phone id → what was tapped there, by callback data: it needs no pulse any more

export function noteUsed(phone, data) {
  if (!used.has(phone.id)) used.set(phone.id, new Set());
  used.get(phone.id).add(data);
  point(phone);
}

// --- the switch for all suggestions

export const isGuided = () => localStorage.getItem("guidance") !== OFF;

export function guide(on) {
  localStorage.setItem("guidance", on ? "on" : OFF);
  document.body.classList.toggle("unguided", !on);
}

// --- what is suggested

// The one button on a phone that a newcomer should tap now, or a sentence on why there is none.
function next(phone) {
  const { started, waiting, guided, keypad, outside } = phone.now;
  if (!started) return { target: phone.startButton };
  if (waiting) return {};
  if (keypad) return { target: nextDigit(phone, keypad) };
  if (phone.tray.chip) return { target: phone.tray.chip };
  if (outside) return { why: "noAccount" };
  const card = [...phone.messages.querySelectorAll("article:not(.gone)")].filter((one) => one.querySelector(".key")).at(-1);
  const keys = [...(card?.querySelectorAll(".key") ?? [])];
  const isLapsed = phone.now.lapsed.includes(Number(card?.dataset.message));
  if (keys.some((key) => key.textContent === ERASE)) return { why: isLapsed ? "lapsed" : "ownPin" };
  if (!guided) return { why: "nothingToDo" };
  return choose(phone, keys.filter((key) => key.dataset.data), card?.querySelector(".text")?.textContent ?? "", isLapsed);
}

// Among the keys of the newest card. A finding is recommended only where nothing speaks against it.
function choose(phone, keys, text, isLapsed) {
  const wanted = keys.find((key) => /primary|success/.test(key.className) || key.dataset.data.startsWith(CONFIRM)) ?? keys.find((key) => key.textContent.startsWith("🔍"));
  if (!wanted || used.get(phone.id)?.has(wanted.dataset.data)) return { why: "free" };
  if (wanted.dataset.data.startsWith(CONFIRM) && isLapsed) return { why: "lapsed" };
  if (wanted.dataset.data.startsWith(MARK) && /[⚠❌]/u.test(text)) return { why: text.includes("⚠") ? "doubtful" : "free" };
  return { target: wanted };
}

// The key of the sample PIN's next digit, or the one that takes a wrong digit back; none while a digit is on its way,
// or it would be tapped twice.
function nextDigit(phone, { message, pin, entered, astray }) {
  const keys = [...phone.messages.querySelectorAll(`[data-message="${message}"] .key`)];
  if (keys.some((key) => key.classList.contains("busy") && /^\d$/.test(key.textContent))) return null;
  return keys.find((key) => key.textContent === (astray ? ERASE : pin[entered]));
}

// Nobody sees a frame that is outside of what the chat shows.
function where(messages, target) {
  if (!messages.contains(target)) return "recommended";
  const [box, key] = [messages.getBoundingClientRect(), target.getBoundingClientRect()];
  return key.bottom > box.bottom + 1 ? "further down" : key.top < box.top - 1 ? "further up" : "recommended";
}

export function point(phone) {
  const { target, why } = isGuided() ? next(phone) : {};
  if (target ?? why) phone.tray.say(t(target ? where(phone.messages, target) : why));
  for (const node of phone.node.querySelectorAll(".next")) if (node !== target) node.classList.remove("next");
  target?.classList.add("next");
}

export function drawBehind({ lines, counters, steps }, { pending }) {
  const current = steps.findIndex((done) => !done);
  const items = steps.map((done, i) => {
    const item = make("li", { className: done ? "done" : i === current ? "now" : "" }, make("span", {}, t(`step${i + 1}`)));
    if (i === current) item.setAttribute("aria-current", "step");
    return item;
  });
  if (current < 0) items.push(make("li", { className: "all-done" }, make("span", {}, t("allDone"))));
  $("steps").replaceChildren(...items);
  const figures = { pending, waiting: counters.waiting, done: counters.done, certificates: counters.certificates, queued: counters.queued, sent: counters.sent };
  $("counters").replaceChildren(...Object.entries(figures).map(([name, value]) => {
    const busy = value && ["pending", "waiting", "queued"].includes(name);
    return make("div", { className: busy ? "busy" : "" }, make("dt", {}, t(name)), make("dd", {}, String(value ?? 0)));
  }));
  $("lines").replaceChildren(...lines.slice(0, 12).map(line));
  $("strip-text").textContent = lines.length ? lines[0][language()] : t("stripEmpty");
  $("strip").dataset.tone = lines[0]?.tone ?? "plain";
}

function line({ time, source, tone, ...texts }) {
  const item = make("li", { className: tone }, make("time", {}, time), make("span", {}, texts[language()]));
  if (source) item.append(" ", make("a", { href: `/source/${source}`, target: "_blank", rel: "noopener", title: t("source") }, source));
  return item;
}

export function drawTrouble({ network, bot, flood, reopenable, correctable, upgradable }) {
  const switches = [
    ["network", network, t("networkOff"), t("networkOn")],
    ["bot", bot, t("botOff"), t("botOn")],
    ["flood", !flood, t("flood"), t("flooding") + flood],
  ];
  for (const [name, of] of [["reopen", reopenable], ["correct", correctable], ["upgrade", upgradable]]) {
    const button = $(name);
    button.disabled = !of;
    button.textContent = of ? t(name) + of : t(`${name}Nothing`);
  }
  redraw($("switches"), switches.map(([name, well, make_, mend]) => [[name, well, make_, mend], () => {
    const button = make("button", { type: "button", className: well ? "" : "on", onclick: () => { button.disabled = true; post(`/trouble/${name}`, { on: well }); } }, well ? make_ : mend);
    button.dataset.switch = name;
    button.setAttribute("aria-pressed", String(!well));
    return button;
  }]));
  for (const button of $("switches").children) button.disabled = false;
}
