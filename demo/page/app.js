// The page: phones side by side, as many as fit, fed by the server's stream of snapshots.

import { Phone } from "./chat.js";
import { drawClock, showClock } from "./clock.js";
import { drawBehind, drawTrouble, guide, isGuided, noteUsed, point } from "./guide.js";
import { language, make, post, redraw, setLanguage, t } from "./words.js";

const $ = (id) => document.getElementById(id);
const phones = new Map();
const unread = new Map(); // phone id → number of messages
let recent = []; // phone ids, the one in focus last
let units = [];
let behind = { lines: [], counters: {}, steps: [] };
let trouble = { network: true, bot: true, flood: 0, pending: 0 };
let clock = { ahead: 0, closes: null, jumps: {} };
let session = null; // another one after a restart: then the page starts anew too
let opening = null; // a phone just asked for: focused when it comes
let audio = null;

// --- layout

const inFocus = () => recent.at(-1);

function layout() {
  const panel = innerWidth >= 1100 ? 372 : 0;
  const room = Math.max(1, Math.floor((innerWidth - panel) / 340));
  const shown = new Set(recent.slice(-room));
  for (const [id, phone] of phones) {
    phone.node.hidden = !shown.has(id);
    phone.activate(id === inFocus());
    phone.count(unread.get(id) ?? 0);
  }
  // Who is on the screen needs no entry above it, unless it is the only one.
  $("people").hidden = room > 1 && shown.size === phones.size;
  drawPeople(shown);
}

function focusPhone(id) {
  if (inFocus() === id && !unread.get(id)) return;
  recent = [...recent.filter((other) => other !== id), id];
  unread.set(id, 0);
  phones.get(id)?.node.classList.remove("ringing");
  layout();
}

function drawPeople(shown) {
  redraw($("people"), [...phones.values()].map((phone) => {
    const { role, unit, number, id } = phone.now;
    const count = unread.get(id) ?? 0;
    const name = (unit || t("outsider")) + (number > 1 ? ` (${number})` : "");
    return [[role, name, id, count, shown.has(id), language()], () => {
      const button = make("button", { type: "button", className: `person ${role}`, onclick: () => focusPhone(id) }, make("span", { className: "dot", ariaHidden: "true" }), make("span", { className: "person-name" }, name));
      if (count) button.append(make("span", { className: "badge" }, String(count), make("span", { className: "unseen" }, ` ${t("unread")}`)));
      button.dataset.person = id;
      button.setAttribute("aria-pressed", String(shown.has(id)));
      return button;
    }];
  }));
  const theirs = $("people").querySelector(`[data-person="${inFocus()}"]`);
  theirs?.scrollIntoView({ block: "nearest", inline: "nearest" });
  if (!$("people").contains(document.activeElement)) stopAt(theirs);
}

// The people are one tab stop; from there the arrows lead along.
function stopAt(person) {
  for (const one of $("people").children) one.tabIndex = one === person ? 0 : -1;
}

function walkPeople(event) {
  const all = [...$("people").children];
  const at = all.indexOf(event.target);
  const to = { ArrowLeft: at - 1, ArrowRight: at + 1, Home: 0, End: all.length - 1 }[event.key];
  if (at < 0 || to === undefined) return;
  event.preventDefault();
  all[to]?.focus();
}

// --- what the server says

function onPhone(snapshot) {
  const phone = phones.get(snapshot.id);
  if (!phone) return addPhone(snapshot);
  const news = phone.update(snapshot);
  point(phone);
  const said = [...news.added, ...news.edited].map((node) => node.querySelector(".text")?.textContent ?? "").filter(Boolean);
  if (said.length) $("announcer").replaceChildren(make("p", {}, `${phone.label}: ${said.join(". ")}`));
  if (news.added.length && snapshot.id !== inFocus()) ring(phone, news.added.length);
}

function addPhone(snapshot) {
  const phone = new Phone(snapshot, { focus: (which) => focusPhone(which.id), view, used: noteUsed, moved: point });
  phones.set(snapshot.id, phone);
  $("phones").append(phone.node);
  // Those that are there when the page opens: the first ones are shown.
  recent = opening === snapshot.id ? [...recent, snapshot.id] : [snapshot.id, ...recent];
  if (opening === snapshot.id) opening = null;
  point(phone);
  layout();
}

function onTrouble(value) {
  trouble = value;
  drawTrouble(trouble);
  drawBehind(behind, trouble);
  document.body.classList.toggle("troubled", !value.network || !value.bot);
  for (const phone of phones.values()) phone.drawFrame(phone.now);
}

function onClock(value) {
  const shown = drawClock(value);
  if (clock.closes && value.ahead !== clock.ahead) $("announcer").textContent = `${t("clock")}: ${shown}`;
  clock = value;
}

function ring(phone, count) {
  unread.set(phone.id, (unread.get(phone.id) ?? 0) + count);
  phone.node.classList.remove("ringing");
  void phone.node.offsetWidth; // so that the animation starts again
  phone.node.classList.add("ringing");
  layout();
  beep();
}

function beep() {
  if (!audio) return;
  const tone = audio.createOscillator();
  const volume = audio.createGain();
  const now = audio.currentTime;
  tone.frequency.setValueAtTime(880, now);
  tone.frequency.setValueAtTime(1175, now + 0.12);
  volume.gain.setValueAtTime(0.06, now);
  volume.gain.exponentialRampToValueAtTime(0.001, now + 0.5);
  tone.connect(volume).connect(audio.destination);
  tone.start(now);
  tone.stop(now + 0.5);
}

function listen() {
  const stream = new EventSource("/events");
  const on = (name, act) => stream.addEventListener(name, (event) => act(JSON.parse(event.data)));
  on("phone", onPhone);
  on("behind", (value) => { behind = value; drawBehind(behind, trouble); });
  on("trouble", onTrouble);
  on("clock", onClock);
  on("session", (value) => { if (session && session !== value) location.reload(); session = value; });
  on("units", (value) => { units = value; drawUnits(); });
  on("toast", (value) => { phones.get(value.phone)?.toast(value); });
  on("stage", (value) => { $("preparing").hidden = value === "ready"; document.body.dataset.stage = value; });
  stream.onopen = () => { $("lost").hidden = true; };
  stream.onerror = () => { $("lost").hidden = false; };
}

// --- dialogs

function drawUnits() {
  const wanted = $("find").value.trim().replace(/\s+/g, " ");
  const groups = [];
  for (const { code, name, province } of units.filter((unit) => unit.role === "province")) {
    const isNamed = name.includes(wanted);
    const members = units.filter((unit) => unit.province === province && (unit.code === code || isNamed || unit.name.includes(wanted) || unit.place.includes(wanted)));
    if (wanted && members.length === 1 && !isNamed) continue;
    groups.push(make("fieldset", {}, make("legend", {}, name), ...members.map(unitButton)));
  }
  if (!wanted) groups.push(make("fieldset", {}, make("legend", {}, t("outsiders")), unitButton({ code: "", name: t("outsider"), place: "" })));
  $("units").replaceChildren(...groups);
  $("none").textContent = groups.length ? "" : t("noneFound").replace("…", wanted);
}

function unitButton({ code, name, place }) {
  return make("button", { type: "button", onclick: () => open(code) }, make("span", {}, name), place ? make("small", {}, `อ.${place}`) : null);
}

async function open(code) {
  $("chooser").close();
  const { id } = await post("/phones", { unit: code });
  if (phones.has(id)) focusPhone(id);
  else opening = id;
}

function view({ id, name, mime }) {
  const url = `/files/${encodeURIComponent(id)}`;
  const shown = /^image\//.test(mime) ? make("img", { src: url, alt: name }) : mime === "application/pdf" ? make("iframe", { src: url, title: name }) : null;
  $("viewer-title").textContent = name;
  $("viewer-body").replaceChildren(...[shown, make("a", { href: url, download: name || "file" }, t("download"))].filter(Boolean));
  $("viewer").showModal();
}

for (const name of ["reopen", "correct", "upgrade"]) document.getElementById(name).addEventListener("click", (event) => { event.target.disabled = true; post(`/trouble/${name}`, { on: true }); });

// --- switches of the page itself

function speak(code) {
  setLanguage(code);
  localStorage.setItem("language", code);
  $("language").textContent = t("language");
  $("language").lang = code === "th" ? "en" : "th";
  for (const [id, key] of [["theme", "theme"], ["sound", audio ? "soundOff" : "soundOn"], ["open-dialog", "openOther"]]) {
    $(id).title = t(key);
    $(id).setAttribute("aria-label", t(key));
  }
  for (const phone of phones.values()) { phone.update(phone.now, false); point(phone); }
  drawBehind(behind, trouble);
  drawTrouble(trouble);
  drawClock(clock);
  drawUnits();
  layout();
}

function dress(theme) {
  if (theme) document.documentElement.dataset.theme = theme;
}

$("language").onclick = () => speak(language() === "th" ? "en" : "th");
$("theme").onclick = () => {
  const dark = document.documentElement.dataset.theme ? document.documentElement.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  dress(dark ? "light" : "dark");
  localStorage.setItem("theme", dark ? "light" : "dark");
};
$("sound").onclick = () => {
  audio = audio ? null : new AudioContext();
  $("sound").setAttribute("aria-pressed", String(Boolean(audio)));
  speak(language());
  beep();
};
$("open-dialog").onclick = () => { $("find").value = ""; drawUnits(); $("chooser").showModal(); $("find").focus(); };
$("find").oninput = drawUnits;
$("strip").onclick = () => {
  const open = $("behind").classList.toggle("open");
  $("strip").setAttribute("aria-expanded", String(open));
};
$("people").addEventListener("keydown", walkPeople);
$("people").addEventListener("focusin", ({ target }) => stopAt(target.closest(".person")));
$("guidance").checked = isGuided();
$("guidance").onchange = ({ target }) => { guide(target.checked); for (const phone of phones.values()) point(phone); };
guide(isGuided());
addEventListener("resize", layout);
setInterval(showClock, 1000);

dress(localStorage.getItem("theme"));
speak(localStorage.getItem("language") ?? "th");
listen();
