/** The facts of a run that a paragraph or a slide names, each known or absent. */
import { basename } from 'node:path';
import type { LoraConfig } from '../../config/schema.ts';
import { number } from '../../words.ts';
import { configOf } from '../curves.ts';
import type { EvaluationPoint, RunStory } from '../run-story.ts';

/** The last part of a path of any system; what the run called the model. */
export function modelName({ record, adapterConfig }: RunStory): string | undefined {
  const path = record?.model ?? adapterConfig?.base_model_name_or_path;
  if (typeof path !== 'string' || path === '') return undefined;
  return basename(path.replaceAll('\\', '/')).slice(0, 200) || path.slice(0, 200);
}

export function isQwen2vl({ record }: RunStory): boolean {
  return record?.base?.modelType === 'qwen2_vl';
}

/** As the run settled them, or as PEFT wrote them down. */
export function loraOf({ record, adapterConfig }: RunStory): (LoraConfig & { scale: number }) | undefined {
  if (record?.lora) return record.lora;
  const rank = adapterConfig?.r;
  const alpha = adapterConfig?.lora_alpha;
  if (typeof rank !== 'number' || typeof alpha !== 'number' || !(rank > 0)) return undefined;
  const rslora = adapterConfig?.use_rslora === true;
  const targets = adapterConfig?.target_modules;
  const dropout = adapterConfig?.lora_dropout;
  return {
    rank,
    alpha,
    rslora,
    dropout: typeof dropout === 'number' ? dropout : 0,
    targetModules: Array.isArray(targets) ? targets.map(String) : String(targets ?? ''),
    scale: alpha / (rslora ? Math.sqrt(rank) : rank),
  };
}

/** `step` done of `of` planned; `epoch` that the last step was in. */
export function progressOf(story: RunStory): { step: number; of?: number; epoch?: number } {
  const last = story.steps.at(-1);
  const step = Math.max(last?.step ?? 0, story.finish?.step ?? 0);
  return { step, of: story.record?.totalSteps ?? story.finish?.totalSteps, epoch: last?.epoch };
}

/** The evaluation that the final figures are taken from. */
export function finalOf(story: RunStory): EvaluationPoint | undefined {
  return story.evaluations.at(-1);
}

export function bestOf({ evaluations }: RunStory): EvaluationPoint | undefined {
  if (evaluations.length === 0) return undefined;
  return evaluations.reduce((best, point) => (point.loss < best.loss ? point : best));
}

/** `number of number (share)` of the parameters. */
export function trainedOf({ record }: RunStory): string | undefined {
  const { trained, base, method } = record ?? {};
  if (!trained) return undefined;
  const many = `${number(trained.parameters)} parameters in ${number(trained.tensors)} tensors`;
  if (!base || base.parameters === 0) return many;
  const share = (100 * trained.parameters) / base.parameters;
  const of = `${share.toPrecision(2)} % of the base's ${number(base.parameters)}`;
  return method === 'full' ? `${many}, ${of}` : `${many} (${of})`;
}

export function rowsPerStep(story: RunStory): number | undefined {
  return configOf(story).train?.gradientAccumulation;
}
