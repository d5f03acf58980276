import { dirname } from 'node:path';
import { z } from 'zod';
import { imageSchema } from '../config/schema.ts';
import { readRunRecord } from '../train/run-folder.ts';

/** How questions were put to a model while it learned; asked otherwise, it answers something it was not taught. */
export interface TrainedWith {
  image: z.infer<typeof imageSchema>;
  system?: string;
}

const recorded = z.object({ image: imageSchema, data: z.object({ system: z.string().optional() }) });

/** From the record of the run whose folder an adapter stands in; nothing where it stands in none. */
export function trainedWith(adapterDir: string): TrainedWith | undefined {
  const found = recorded.safeParse(readRunRecord(dirname(adapterDir))?.config?.resolved);
  return found.success ? { image: found.data.image, system: found.data.data.system } : undefined;
}
