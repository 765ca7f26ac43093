// The page's own words in two languages; what the bot says comes from the bot.

const TH = {
  tagline: "ลองใช้งานกับข้อมูลตัวอย่าง", people: "โทรศัพท์", preparing: "กำลังเตรียมข้อมูลตัวอย่างและเริ่มบอต…",
  openOther: "เปิดเครื่องอื่น", find: "ค้นหาชื่อ อปท. หรือจังหวัด", close: "ปิด",
  behind: "เบื้องหลัง", tryIt: "ลองทำ 5 ขั้น", stripEmpty: "ดูขั้นตอนและเบื้องหลัง",
  operator: "ผู้ดูแลระบบ", reopen: "เปิดแก้ไข ", reopenNothing: "ยังไม่มีการรับรองให้เปิดแก้ไข",
  correct: "นำเข้าทะเบียนที่แก้ไขแล้วของ ", correctNothing: "ยังไม่มีทะเบียนที่เปิดแก้ไข",
  upgrade: "ยกฐานะเป็นเทศบาลตำบล: ", upgradeNothing: "ไม่มี อบต. ให้ยกฐานะแล้ว",
  trouble: "ลองทำให้เกิดเหตุขัดข้อง", troubleHint: "ตัดแล้วใช้งานต่อตามปกติ จะไม่มีอะไรหาย",
  lost: "ขาดการติดต่อกับหน้าสาธิต กำลังต่อใหม่…",
  lao: "เจ้าหน้าที่ อปท.", province: "เจ้าหน้าที่จังหวัด", outsider: "คนนอก ไม่มีบัญชี", outsiders: "ผู้อื่น",
  phoneOf: "เครื่องของ", second: "คนที่", bot: "บอต", start: "เริ่ม", message: "ข้อความ", send: "ส่ง", menu: "เมนูคำสั่ง", attach: "แนบไฟล์", tooLarge: "ไฟล์ใหญ่เกิน 20 MB",
  messages: "ข้อความในแชต", typing: "กำลังตอบ…", held: "ส่งแล้ว รอบอตรับ…", newMessage: "ข้อความใหม่", unread: "ยังไม่อ่าน",
  ok: "ตกลง", suggestions: "แตะเพื่อกรอก", open: "เปิด", download: "ดาวน์โหลด",
  emptyTitle: "ระบบรับรองข้อมูลบุคลากรท้องถิ่น", emptyText: "แตะ “เริ่ม” ด้านล่าง",
  username: "ชื่อผู้ใช้", password: "รหัสผ่าน", password_for_pin: "รหัสผ่าน", samplePin: "PIN ตัวอย่าง", protected: "ส่งต่อและคัดลอกไม่ได้", full_name: "ชื่อ-สกุล", position: "ตำแหน่ง",
  soundOn: "เปิดเสียง", soundOff: "ปิดเสียง", theme: "สลับสว่าง/มืด", language: "English",
  step1: "เข้าสู่ระบบและตั้ง PIN ทั้งสองเครื่อง", step2: "เครื่อง อปท.: ตรวจจำนวน แล้วรับรอง", step3: "เครื่องจังหวัดดังเตือน",
  step4: "เครื่องจังหวัด: ตรวจสอบ แล้วรับรอง", step5: "เครื่อง อปท. ได้รับแจ้งผล", allDone: "ครบแล้ว ลองเครื่องอื่น หรือลองทำให้ขัดข้อง",
  pending: "รอที่ Telegram", waiting: "กล่องรับ รอทำ", done: "ทำแล้ว", certificates: "ใบรับรอง", queued: "คิวส่ง", sent: "ส่งแล้ว",
  networkOff: "ตัดเครือข่าย", networkOn: "ต่อเครือข่ายกลับ", botOff: "ฆ่าบอต (SIGKILL)", botOn: "เริ่มบอตใหม่",
  flood: "ตอบ 429 ×3", flooding: "429 เหลือ ×", source: "ดูโค้ด",
  clock: "เวลาของการสาธิต", hour: "+1 ชั่วโมง", day: "+1 วัน", morning: "พรุ่งนี้ 09:00",
  closing: "ไปที่ 09.00 น. ก่อนปิดรอบ ", closingDay: "วันปิด", dayBefore: "วัน", daysBefore: "วัน",
  clockHint: "เวลาเดินหน้าอย่างเดียว เพราะหลักฐานระบุเวลาไว้ การสาธิตที่เริ่มใหม่จะกลับเป็นเวลาจริง",
  tag: "สาธิต", tray: "คำแนะนำของการสาธิต", guidance: "แสดงคำแนะนำใต้เครื่องและกรอบเส้นประ", types: "แตะเพื่อพิมพ์", note: "สิ่งที่ไม่ถูกต้อง",
  recommended: "ปุ่มในกรอบเส้นประคือปุ่มที่แนะนำให้แตะ", "further down": "ปุ่มที่แนะนำอยู่ด้านล่าง โปรดเลื่อนลง", "further up": "ปุ่มที่แนะนำอยู่ด้านบน โปรดเลื่อนขึ้น",
  free: "ขั้นนี้ไม่มีคำแนะนำ เลือกได้ตามต้องการ",
  nothingToDo: "ขณะนี้ไม่มีขั้นที่ต้องทำบนเครื่องนี้", doubtful: "มีเมนูที่ยังไม่บันทึก โปรดพิจารณาแล้วเลือกผลตรวจเอง",
  noAccount: "เครื่องนี้ไม่มีบัญชี จึงไม่มีข้อมูลที่ใช้เข้าสู่ระบบได้", ownPin: "โปรดใส่ PIN ที่ท่านเลือกเอง", lapsed: "หน้านี้หมดเวลาแล้ว โปรดส่ง /menu แล้วทำขั้นนี้ใหม่",
  copied: "คัดลอกแล้ว", notCopied: "เบราว์เซอร์ไม่ยอมให้คัดลอก โปรดคัดลอกเอง:", down: "ไปที่ข้อความล่าสุด",
  noneFound: "ไม่พบเครื่องที่ตรงกับ “…” โปรดลองใช้คำอื่น เช่น ชื่อ อปท. อำเภอ หรือจังหวัด", phoneHint: "กด Enter เพื่อใช้เครื่องนี้",
};

const EN = {
  tagline: "try it with sample data", people: "Phones", preparing: "Making sample data and starting the bot…",
  openOther: "Open another phone", find: "Find an organization or a province", close: "Close",
  behind: "Behind the scenes", tryIt: "Try it in 5 steps", stripEmpty: "Steps and behind the scenes",
  operator: "The operator", reopen: "Reopen ", reopenNothing: "Nothing certified to reopen yet",
  correct: "Import the corrected register of ", correctNothing: "No register is open for correction",
  upgrade: "Upgrade to a municipality: ", upgradeNothing: "No organization left to upgrade",
  trouble: "Make trouble", troubleHint: "Cut something and go on: nothing gets lost",
  lost: "The demonstration does not answer, reconnecting…",
  lao: "LAO officer", province: "Province officer", outsider: "Outsider, no account", outsiders: "Others",
  phoneOf: "Phone of", second: "no.", bot: "bot", start: "Start", message: "Message", send: "Send", menu: "Commands", attach: "Attach a file", tooLarge: "The file is larger than 20 MB",
  messages: "Messages in the chat", typing: "answering…", held: "sent, the bot has not fetched it…", newMessage: "New message", unread: "unread",
  ok: "OK", suggestions: "Tap to fill in", open: "Open", download: "Download",
  emptyTitle: "Personnel data certification", emptyText: "Tap “Start” below",
  username: "Username", password: "Password", password_for_pin: "Password", samplePin: "Sample PIN", protected: "Cannot be forwarded or copied", full_name: "Name", position: "Position",
  soundOn: "Sound on", soundOff: "Sound off", theme: "Light or dark", language: "ไทย",
  step1: "Log in and choose a PIN on both phones", step2: "LAO phone: check the numbers, certify", step3: "The province's phone rings",
  step4: "Province phone: check, certify", step5: "The LAO phone is told", allDone: "All done. Try other phones, or make trouble",
  pending: "at Telegram", waiting: "inbox, to do", done: "done", certificates: "certificates", queued: "outbox", sent: "sent",
  networkOff: "Cut the network", networkOn: "Reconnect", botOff: "Kill the bot (SIGKILL)", botOn: "Start the bot",
  flood: "Answer 429 ×3", flooding: "429 left ×", source: "See the code",
  clock: "The demonstration's clock", hour: "+1 hour", day: "+1 day", morning: "Tomorrow 09:00",
  closing: "To 09:00, before the round closes on ", closingDay: "That day", dayBefore: "day", daysBefore: "days",
  clockHint: "Time moves forward only: certificates bear it. A fresh demonstration begins at the real time.",
  tag: "Demo", tray: "What the demonstration suggests", guidance: "Show suggestions below the phones, and dashed frames", types: "Tap to type: ", note: "What is not correct",
  recommended: "The button in a dashed frame is the one to tap", "further down": "The button to tap is further down: scroll", "further up": "The button to tap is further up: scroll",
  free: "Nothing is suggested here: choose as you like",
  nothingToDo: "Nothing to be done on this phone for now", doubtful: "A menu is not filled in: decide for yourself what you find",
  noAccount: "No account on this phone: nothing logs in", ownPin: "Enter the PIN that you chose yourself", lapsed: "This has lapsed: send /menu and begin this step again",
  copied: "Copied", notCopied: "The browser refuses to copy. Please copy it yourself:", down: "To the newest message",
  noneFound: "No phone for “…”. Try another word: an organization, a district, or a province", phoneHint: "Press Enter to use this phone",
};

let words = TH;
export const language = () => (words === TH ? "th" : "en");
export const t = (key) => words[key] ?? key;

export function setLanguage(code) {
  words = code === "en" ? EN : TH;
  document.documentElement.lang = language();
  for (const node of document.querySelectorAll("[data-t]")) node.textContent = t(node.dataset.t);
  for (const node of document.querySelectorAll("[data-t-label]")) node.setAttribute("aria-label", t(node.dataset.tLabel));
  for (const node of document.querySelectorAll("[data-t-placeholder]")) node.placeholder = t(node.dataset.tPlaceholder);
}

// An element with properties, data and children; text is always text.
export function make(tag, properties = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name in node) node[name] = value;
    else node.setAttribute(name, value);
  }
  node.append(...children.filter((child) => child !== null && child !== undefined));
  return node;
}

// The children of `box` are those of `drawn`, pairs of what a child shows and how it is made. A child that shows
// what it showed stays in the document: replaced between a press and its release, it would lose the click.
export function redraw(box, drawn) {
  drawn.forEach(([shows, build], i) => {
    const state = JSON.stringify(shows);
    const old = box.children[i];
    if (old?.dataset.state === state) return;
    const hadFocus = old === document.activeElement;
    const node = build();
    node.dataset.state = state;
    if (old) old.replaceWith(node);
    else box.append(node);
    if (old && hadFocus) node.focus();
  });
  while (box.children.length > drawn.length) box.lastElementChild.remove();
}

export function icon(name) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  const use = document.createElementNS("http://www.w3.org/2000/svg", "use");
  use.setAttribute("href", `/page/icons.svg#${name}`);
  svg.setAttribute("class", "icon");
  svg.setAttribute("aria-hidden", "true");
  svg.append(use);
  return svg;
}

export async function post(path, body) {
  const answer = await fetch(path, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) });
  return answer.json();
}
