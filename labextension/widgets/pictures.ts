import { button, element } from "../shared/dom";

export const KINDS = ["image/png", "image/jpeg", "image/webp", "image/gif"];
/** Of all pictures of a prompt, as `core/pictures.py` has it. */
export const MOST_BYTES = 4_000_000;
const SHOWN = /^data:image\/(?:png|jpeg|gif|webp);base64,[A-Za-z0-9+/]+={0,2}$/;

/** A picture from its own bytes, and nothing where it is an address: nothing is fetched. */
export function pictureNode(url: string, label: string): HTMLElement {
  const node = element("img", "kubeai-playground-picture");
  if (SHOWN.test(url)) node.src = url;
  node.alt = label;
  return node;
}

/** The pictures that go with the next prompt: pasted, dropped or chosen. */
export class PicturesView {
  readonly node = element("div", "kubeai-playground-pictures");
  readonly add = button("Picture …", "Picture … of a PNG, JPEG, WebP or GIF file");
  private readonly chosen = element("input", "");
  private readonly list = element("span", "kubeai-buttons");
  private readonly assured = element("label", "");
  private readonly assurance = element("input", "");
  private readonly pictures: { url: string; bytes: number }[] = [];
  private readsPictures = false;

  /** `tell` says why a file is not taken. */
  constructor(
    around: HTMLElement,
    private readonly tell: (problem: string) => void,
  ) {
    this.chosen.type = "file";
    this.chosen.accept = KINDS.join();
    this.chosen.multiple = true;
    this.chosen.hidden = true;
    this.assurance.type = "checkbox";
    this.assured.append(this.assurance, " The model reads pictures: send them all the same.");
    this.node.append(this.chosen, this.list, this.assured);
    this.add.addEventListener("click", () => {
      this.chosen.click();
    });
    this.chosen.addEventListener("change", () => {
      void this.take(this.chosen.files);
      this.chosen.value = "";
    });
    around.addEventListener("paste", (event) => {
      this.receive(event, event.clipboardData);
    });
    around.addEventListener("drop", (event) => {
      this.receive(event, event.dataTransfer);
    });
    around.addEventListener("dragover", (event) => {
      if (event.dataTransfer?.types.includes("Files") === true) event.preventDefault();
    });
    this.draw();
  }

  get urls(): string[] {
    return this.pictures.map(({ url }) => url);
  }

  get sure(): boolean {
    return this.assurance.checked;
  }

  show(readsPictures: boolean): void {
    this.readsPictures = readsPictures;
    this.draw();
  }

  /** Take them back, as what could not be asked. */
  restore(urls: readonly string[]): void {
    if (this.pictures.length === 0) this.pictures.push(...urls.map((url) => ({ url, bytes: bytesOf(url) })));
    this.draw();
  }

  clear(): void {
    this.pictures.length = 0;
    this.draw();
  }

  /** Add these files, as far as they are pictures and small enough. */
  async take(files: Iterable<File> | null): Promise<void> {
    for (const file of files ?? []) {
      const before = this.pictures.reduce((sum, { bytes }) => sum + bytes, 0);
      if (!KINDS.includes(file.type)) {
        this.tell(`${file.name} is not a PNG, JPEG, WebP or GIF file.`);
      } else if (before + file.size > MOST_BYTES) {
        this.tell(`${file.name} is too large: pictures of one prompt may have ${String(MOST_BYTES / 1e6)} MB.`);
      } else {
        this.pictures.push({ url: await dataUrlOf(file), bytes: file.size });
        this.tell("");
      }
    }
    this.draw();
  }

  /** Text that is pasted or dropped stays the browser's. */
  private receive(event: Event, data: DataTransfer | null): void {
    const files = [...(data?.files ?? [])];
    if (files.length === 0) return;
    event.preventDefault();
    event.stopPropagation();
    void this.take(files);
  }

  private draw(): void {
    this.node.hidden = this.pictures.length === 0;
    this.assured.hidden = this.readsPictures;
    this.list.replaceChildren(...this.pictures.map(({ url }, place) => this.chip(url, place)));
  }

  private chip(url: string, place: number): HTMLElement {
    const name = `Picture ${String(place + 1)}`;
    const remove = button("×", `Take away ${name.toLowerCase()}`);
    remove.addEventListener("click", () => {
      this.pictures.splice(place, 1);
      this.draw();
    });
    const node = element("span", "kubeai-playground-chip");
    node.append(pictureNode(url, name), remove);
    return node;
  }
}

function bytesOf(url: string): number {
  return ((url.length - url.indexOf(",")) * 3) / 4;
}

async function dataUrlOf(file: File): Promise<string> {
  const reader = new FileReader();
  const read = new Promise<string>((resolve, reject) => {
    reader.addEventListener("load", () => {
      resolve(typeof reader.result === "string" ? reader.result : "");
    });
    reader.addEventListener("error", () => {
      reject(new Error(`${file.name} cannot be read`));
    });
  });
  reader.readAsDataURL(file);
  return read;
}
