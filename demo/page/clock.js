// The demonstration's clock: what it shows, and the jumps, which lead forward only.

import { language, make, post, t } from "./words.js";

const $ = (id) => document.getElementById(id);
const ZONE = { timeZone: "Asia/Bangkok" };
const LOCALES = { th: "th-TH-u-ca-buddhist-nu-latn", en: "en-GB-u-ca-buddhist" };
let ahead = 0; // seconds before this machine's clock

const written = (moment, options) => new Intl.DateTimeFormat(LOCALES[language()], { ...ZONE, ...options }).format(moment);

export const day = (moment) => written(moment, { day: "numeric", month: "short", year: "numeric" });

// Between two looks of the server it runs by itself.
export function showClock() {
  const now = Date.now() + ahead * 1000;
  const text = `${written(now, { weekday: "long", day: "numeric", month: "long", year: "numeric" })} · ${written(now, { hour: "2-digit", minute: "2-digit", hour12: false })}`;
  if ($("clock").textContent !== text) $("clock").textContent = text;
  $("clock").dateTime = new Date(now).toISOString();
  return text;
}

export function drawClock({ ahead: seconds, closes, jumps }) {
  ahead = seconds;
  for (const [name, leadsForward] of Object.entries(jumps)) drawJump(name, leadsForward);
  $("closing").textContent = closes ? t("closing") + day(new Date(`${closes}T00:00+07:00`)) : "";
  return showClock();
}

// A jump that has passed keeps its place and the focus; it says that it leads nowhere.
function drawJump(name, leadsForward) {
  const days = name.startsWith("closing-") ? name.slice(8) : null;
  const box = $(days === null ? "jumps" : "closing-jumps");
  let button = box.querySelector(`[data-jump=${name}]`);
  if (!button) {
    button = make("button", { type: "button", onclick: () => { if (button.getAttribute("aria-disabled") !== "true") post(`/clock/${name}`, {}); } });
    button.dataset.jump = name;
    box.append(button);
  }
  button.setAttribute("aria-disabled", String(!leadsForward));
  button.textContent = days === null ? t(name) : days === "0" ? t("closingDay") : `${days} ${t(days === "1" ? "dayBefore" : "daysBefore")}`;
}
