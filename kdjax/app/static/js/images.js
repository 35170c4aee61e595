// Pictures of the user's own, as the run's images are: kdjax/data/files/images.py in the browser.

export const MEGAPIXELS = 50;

/** A problem that the user can mend; its message is shown as it is. */
export class PictureProblem extends Error {}

/** The pixels `[h, w, c]` of a file as the network's run would read it.
 *
 * Throws a PictureProblem where the file is empty, no picture, or too large. */
export async function readFile(file, shape, crop) {
  const name = file.name || "This file";
  if (!file.size) throw new PictureProblem(`${name} is empty. Choose a picture, such as a PNG or JPEG.`);
  const head = new Uint8Array(await file.slice(0, 1 << 20).arrayBuffer());
  requireSize(declaredSize(head), name);
  let bitmap;
  try {
    bitmap = await createImageBitmap(file, {
      imageOrientation: "from-image",
      premultiplyAlpha: "none",
      colorSpaceConversion: "none",
    });
  } catch {
    throw new PictureProblem(`${name} is no picture that this browser can read. Choose a PNG, JPEG, WebP, GIF or BMP file.`);
  }
  try {
    requireSize([bitmap.width, bitmap.height], name);
    return fromBitmap(bitmap, shape, crop);
  } finally {
    bitmap.close();
  }
}

function requireSize(size, name) {
  if (size && size[0] * size[1] > MEGAPIXELS * 1e6) {
    const megapixels = Math.round((size[0] * size[1]) / 1e6);
    throw new PictureProblem(`${name} has ${megapixels} megapixels, and this page reads up to ${MEGAPIXELS}. Make it smaller first.`);
  }
}

/** The pixels of a picture or a video's frame. */
export function fromBitmap(source, shape, crop) {
  const width = source.videoWidth ?? source.width;
  const height = source.videoHeight ?? source.height;
  const canvas = document.createElement("canvas");
  canvas.width = width;
  canvas.height = height;
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.drawImage(source, 0, 0);
  const side = Math.min(width, height);
  const box = crop ? [(width - side) >> 1, (height - side) >> 1, side, side] : [0, 0, width, height];
  const { data } = context.getImageData(...box);
  return resize(channels(data, shape[2]), box[3], box[2], shape);
}

/** RGBA to `[h, w, c]` uint8, grey as Pillow computes it (ITU-R 601-2). */
function channels(rgba, c) {
  const count = rgba.length / 4;
  const pixels = new Uint8Array(count * c);
  for (let i = 0; i < count; i++) {
    const [r, g, b] = [rgba[4 * i], rgba[4 * i + 1], rgba[4 * i + 2]];
    if (c === 1) pixels[i] = (r * 19595 + g * 38470 + b * 7471 + 0x8000) >> 16;
    else pixels.set([r, g, b], 3 * i);
  }
  return pixels;
}

/** Bilinear and antialiased, in the integers of Pillow's `resize`: rows first, then columns.
 *
 * The same pixels give the same; Pillow 13 begins with the columns of some tall images, which
 * changes some values by one grey level. */
export function resize(pixels, height, width, shape) {
  const [h, w, c] = shape;
  let current = pixels;
  if (w !== width) current = resample(current, height, width, w, c, false);
  if (h !== height) current = resample(current, height, w, h, c, true);
  return current;
}

function resample(pixels, height, width, size, c, vertical) {
  const length = vertical ? height : width;
  const scale = length / size;
  const support = Math.max(scale, 1);
  const result = new Uint8Array((vertical ? size * width : height * size) * c);
  const stride = vertical ? width * c : c;
  const lines = vertical ? width : height;
  for (let out = 0; out < size; out++) {
    const centre = (out + 0.5) * scale;
    const first = Math.max(0, Math.trunc(centre - support + 0.5));
    const end = Math.min(length, Math.trunc(centre + support + 0.5));
    const weights = [];
    for (let x = first; x < end; x++) weights.push(Math.max(0, 1 - Math.abs((x - centre + 0.5) / support)));
    const total = weights.reduce((a, b) => a + b, 0);
    const whole = weights.map((weight) => Math.trunc(0.5 + (weight / total) * 4194304));
    for (let line = 0; line < lines; line++) {
      for (let channel = 0; channel < c; channel++) {
        const start = vertical ? line * c + channel : line * width * c + channel;
        let sum = 1 << 21;
        for (let k = 0; k < whole.length; k++) sum += pixels[start + (first + k) * stride] * whole[k];
        const value = Math.min(255, Math.max(0, sum >> 22));
        const at = vertical ? (out * width + line) * c + channel : (line * size + out) * c + channel;
        result[at] = value;
      }
    }
  }
  return result;
}

/** Width and height as a file's first bytes declare them, before anything is decoded; or null. */
export function declaredSize(bytes) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const begins = (text, at = 0) => [...text].every((letter, i) => bytes[at + i] === letter.charCodeAt(0));
  try {
    if (begins("PNG", 1)) return [view.getUint32(16), view.getUint32(20)];
    if (begins("GIF8")) return [view.getUint16(6, true), view.getUint16(8, true)];
    if (begins("BM")) return [view.getInt32(18, true), Math.abs(view.getInt32(22, true))];
    if (begins("RIFF") && begins("WEBP", 8)) {
      if (begins("VP8X", 12)) return [1, 4].map((at) => 1 + (view.getUint32(23 + at, true) & 0xffffff));
      if (begins("VP8L", 12)) {
        const bits = view.getUint32(21, true);
        return [1 + (bits & 0x3fff), 1 + ((bits >> 14) & 0x3fff)];
      }
      return [view.getUint16(26, true) & 0x3fff, view.getUint16(28, true) & 0x3fff];
    }
    if (bytes[0] === 0xff && bytes[1] === 0xd8) {
      for (let at = 2; at < bytes.length; ) {
        const marker = bytes[at + 1];
        if (marker >= 0xc0 && marker <= 0xcf && ![0xc4, 0xc8, 0xcc].includes(marker)) {
          return [view.getUint16(at + 7), view.getUint16(at + 5)];
        }
        at += marker === 0xff ? 1 : 2 + view.getUint16(at + 2);
      }
    }
  } catch {
    // The file ends before its size: decoding it says what is wrong.
  }
  return null;
}

/** Draws pixels `[h, w, c]` uint8 on a canvas, which gets their size. */
export function show(canvas, pixels, [h, w, c]) {
  canvas.width = w;
  canvas.height = h;
  canvas.getContext("2d").putImageData(rgba(pixels, [h, w, c]), 0, 0);
}

function rgba(pixels, [h, w, c]) {
  const image = new ImageData(w, h);
  for (let i = 0; i < h * w; i++) {
    for (let channel = 0; channel < 3; channel++) image.data[4 * i + channel] = pixels[i * c + (c === 3 ? channel : 0)];
    image.data[4 * i + 3] = 255;
  }
  return image;
}

// Viridis, which people with any colour vision read as dark to bright.
const SHADES = [[68, 1, 84], [59, 82, 139], [33, 145, 140], [94, 201, 98], [253, 231, 37]];

export function shade(value) {
  const at = Math.min(Math.max(value, 0), 1) * (SHADES.length - 1);
  const low = Math.min(Math.floor(at), SHADES.length - 2);
  return SHADES[low].map((from, i) => Math.round(from + (at - low) * (SHADES[low + 1][i] - from)));
}

/** Draws an attention map over an image, in shades from dark (least) to bright (most). */
export function showMap(canvas, pixels, shape, map) {
  const side = 168;
  const [h, w] = shape;
  canvas.width = side;
  canvas.height = Math.round((side * h) / w);
  const context = canvas.getContext("2d");
  const picture = document.createElement("canvas");
  show(picture, pixels, shape);
  context.imageSmoothingEnabled = Math.max(h, w) > 64;
  context.filter = "grayscale(1)";
  context.drawImage(picture, 0, 0, canvas.width, canvas.height);
  context.filter = "none";
  const small = document.createElement("canvas");
  small.width = map.width;
  small.height = map.height;
  const image = new ImageData(map.width, map.height);
  const low = map.values.reduce((a, b) => Math.min(a, b), Infinity);
  const range = map.values.reduce((a, b) => Math.max(a, b), -Infinity) - low;
  map.values.forEach((value, i) => image.data.set([...shade(range > 0 ? (value - low) / range : 0), 255], 4 * i));
  small.getContext("2d").putImageData(image, 0, 0);
  context.imageSmoothingEnabled = true;
  context.globalAlpha = 0.6;
  context.drawImage(small, 0, 0, canvas.width, canvas.height);
  context.globalAlpha = 1;
}
