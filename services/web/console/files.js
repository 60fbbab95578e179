// Photos, recordings and documents: made small before they are sent, and opened one by one, which is recorded.

import { Refused, sendFile, takeFile } from "./api.js";
import { code, h, t } from "./i18n.js";

export const ACCEPTED = "image/*,audio/*,application/pdf";
export const MOST_FILES = 6;
const LONGEST_SIDE = 1600;
const QUALITY = 0.85;

const opened = new Map(); // file -> the address of what was opened of it, while its case is shown
let openedOf = "";

/** A photo as a poor line can carry it; whatever cannot be drawn here, or would not get smaller, as it is. */
export async function shrink(file) {
  if (!file.type.startsWith("image/")) return file;
  try {
    const picture = await createImageBitmap(file, { imageOrientation: "from-image" });
    const scale = Math.min(1, LONGEST_SIDE / Math.max(picture.width, picture.height));
    const canvas = h("canvas", { width: Math.round(picture.width * scale), height: Math.round(picture.height * scale) });
    const paper = canvas.getContext("2d");
    paper.fillStyle = "#fff";
    paper.fillRect(0, 0, canvas.width, canvas.height);
    paper.drawImage(picture, 0, 0, canvas.width, canvas.height);
    picture.close();
    const small = await new Promise((done) => canvas.toBlob(done, "image/jpeg", QUALITY));
    return small && small.size < file.size ? small : file;
  } catch (error) {
    console.warn(error);
    return file;
  }
}

/** Attach files as the proof of a department's part; the same file again is one file. */
export async function sendProofs(act, files) {
  const path = `/api/calls/${encodeURIComponent(act.call)}/proof?department=${encodeURIComponent(act.department)}`;
  for (const file of files) await sendFile(path, await shrink(file));
}

/** Buttons that open these files of a case. */
export function fileList(rows, id) {
  if (openedOf !== id) forgetFiles(id);
  return rows.length ? h("ul", { class: "files" }, rows.map((row, n) => item(row, n, id))) : null;
}

/** What was opened is shown no longer. */
export function forgetFiles(id = "") {
  for (const address of opened.values()) URL.revokeObjectURL(address);
  opened.clear();
  openedOf = id;
}

function item(row, n, id) {
  const kind = row.media_type.split("/")[0];
  const label = `${code("file", kind)} ${n + 1} · ${t("kilobytes", { n: Math.max(1, Math.round(row.size / 1024)) })}`;
  const place = h("div", { class: "file", "aria-live": "polite" });
  const show = () => place.replaceChildren(shown(row, opened.get(row.file), label));
  if (opened.has(row.file)) show();
  return h("li", {}, h("button", { type: "button", class: "file-button", title: t("opening_recorded"), text: label, onclick: async () => {
    try {
      if (!opened.has(row.file)) {
        const content = await takeFile(`/api/files/${row.file}?case=${encodeURIComponent(id)}`);
        if (openedOf !== id) return;
        opened.set(row.file, URL.createObjectURL(content));
      }
      show();
    } catch (error) {
      place.replaceChildren(h("p", { class: "error", role: "alert", text: error instanceof Refused ? t("failed", { e: error.message }) : t("unreachable") }));
    }
  } }), place);
}

const shown = (row, address, label) => (row.media_type.startsWith("image/") ? h("img", { src: address, alt: label }) : h("a", { href: address, download: `${row.file.slice(0, 12)}.${row.media_type.split("/")[1]}`, text: t("save_file") }));
