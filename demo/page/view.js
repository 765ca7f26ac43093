// The place in a chat. It moves to the bottom for what the person types, and for a new message to a person who was at or
// near the bottom and has not scrolled away since. At the bottom it stays there when a message grows: Telegram's apps hang
// a chat up by its end, so that the last keys stay under the thumb. Anywhere else an edit moves nothing. What changes below
// the chat leaves its last line where it was.

const AT = 4; // pixels from the bottom
// As near as Telegram's apps take for being there: whoever taps a key of the newest message sees what it brings.
const NEAR = 160;

export class View {
  constructor(box, moved) {
    this.box = box;
    this.moved = moved; // called with whether it is at the bottom
    this.low = true; // at the bottom
    this.near = true;
    this.follows = true; // was near it, and has scrolled nowhere since
    this.top = 0;
    this.height = 0; // 0 while the phone is not on the screen
    box.addEventListener("scroll", () => this.scrolled());
    new ResizeObserver(() => this.note()).observe(box);
  }

  // What is scrolled here was noted before its event comes.
  scrolled() {
    const isPersons = Math.abs(this.box.scrollTop - this.top) > 1;
    this.note();
    if (isPersons) this.follows = this.near;
  }

  lower() {
    this.follows = true;
    this.box.scrollTop = this.box.scrollHeight;
    this.note();
  }

  note() {
    this.resized();
    if (!this.height) return;
    const { scrollTop, scrollHeight, clientHeight } = this.box;
    this.top = scrollTop;
    const below = scrollHeight - clientHeight - scrollTop;
    this.low = below <= AT;
    this.near = below <= NEAR;
    this.moved(this.low);
  }

  resized() {
    const before = this.height;
    this.height = this.box.clientHeight;
    if (!this.height || this.height === before) return;
    this.box.scrollTop = this.low ? this.box.scrollHeight : this.top + (before && before - this.height);
  }

  // Draw something; `down` is asked afterwards whether to go to the bottom. At the bottom the view stays there. Anywhere
  // else the uppermost message that is still there stays where it was.
  keep(draw, down = () => false) {
    this.scrolled();
    const followed = this.follows;
    const wasLow = this.low;
    const places = this.height ? this.places() : [];
    draw();
    if (down(followed) || wasLow) {
      this.low = true;
      return this.lower();
    }
    const [id, at] = places.find(([one]) => this.message(one)) ?? [];
    if (id) this.box.scrollTop = this.message(id).offsetTop - at;
    this.note();
  }

  message(id) {
    return this.box.querySelector(`[data-message="${id}"]:not(.gone)`);
  }

  // What is on the screen, by its distance from the upper edge.
  places() {
    const { scrollTop } = this.box;
    return [...this.box.querySelectorAll("[data-message]:not(.gone)")]
      .filter((one) => one.offsetTop + one.offsetHeight > scrollTop)
      .map((one) => [one.dataset.message, one.offsetTop - scrollTop]);
  }
}
