import { dirname } from 'node:path';
import { z } from 'zod';
import { cacheSchema, imageSchema } from '../config/schema.ts';
import { readRunRecord } from '../train/run-folder.ts';

/** How questions were put to a model while it learned; asked otherwise, it answers something it was not taught. */
export interface TrainedWith {
  image: z.infer<typeof imageSchema>;
  system?: string;
  /** Absent where the run is older than that. */
  cache?: z.infer<typeof cacheSchema>;
}

const recorded = z.object({
  image: imageSchema,
  data: z.object({ system: z.string().optional() }),
  cache: cacheSchema.optional(),
});

/** From the record of the run whose folder an adapter stands in; nothing where it stands in none. */
export function trainedWith(adapterDir: string): TrainedWith | undefined {
  const found = recorded.safeParse(readRunRecord(dirname(adapterDir))?.config?.resolved);
  if (!found.success) return undefined;
  const { image, data, cache } = found.data;
  return { image, system: data.system, cache };
}
