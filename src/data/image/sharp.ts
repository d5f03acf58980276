/** The one place that loads the native picture library. */
import sharp from 'sharp';

export type { Metadata, SharpOptions } from 'sharp';
export { sharp };
