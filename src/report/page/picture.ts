import { type Content, html } from '../../page/html.ts';
import type { RowScore } from '../../train/row-scores.ts';
import type { RunStory } from '../run-story.ts';

/** Of a picture that is taken into the page; ours are a tenth of it. */
const mostBytes = 200_000;

/** The small picture of a row, inside the page; a box with its file names where there is none. */
export function rowPicture(story: RunStory, { picture, images }: RowScore): Content {
  const bytes = picture === undefined ? undefined : story.picture(picture);
  const names = images
    .slice(0, 4)
    .map((name) => name.slice(0, 200))
    .join(', ');
  if (bytes && isJpeg(bytes) && bytes.length <= mostBytes) {
    const data = Buffer.from(bytes).toString('base64');
    return html`<img class="shot" src="data:image/jpeg;base64,${data}" alt="${names}" title="${names}">`;
  }
  if (images.length === 0) return html`<div class="shot none">no picture</div>`;
  return html`<div class="shot none data">${names}</div>`;
}

function isJpeg(bytes: Uint8Array): boolean {
  return bytes[0] === 0xff && bytes[1] === 0xd8 && bytes[2] === 0xff;
}
