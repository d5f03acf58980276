/** The facts of a run that a paragraph or a slide names, each known or absent. */
import { basename } from 'node:path';
import type { LoraConfig } from '../../config/schema.ts';
import { pulledModel } from '../../hub/cache.ts';
import { number } from '../../words.ts';
import { configOf } from '../curves.ts';
import type { EvaluationPoint, RunStory } from '../run-story.ts';

/** The id of a pulled model, or the last part of a path of any system; what the run called the model. */
export function modelName({ record, adapterConfig }: RunStory): string | undefined {
  const path = record?.model ?? adapterConfig?.base_model_name_or_path;
  if (typeof path !== 'string' || path === '') return undefined;
  const pulled = pulledModel(path);
  if (pulled) return pulled.id;
  return basename(path.replaceAll('\\', '/')).slice(0, 200) || path.slice(0, 200);
}

export function isQwen2vl({ record }: RunStory): boolean {
  return record?.base?.modelType === 'qwen2_vl';
}

/** As the run settled them, as its config has them, or as PEFT wrote them down. */
export function loraOf(story: RunStory): (LoraConfig & { scale: number }) | undefined {
  const { record, adapterConfig } = story;
  if (record?.lora) return record.lora;
  return record ? configuredLora(story) : peftLora(adapterConfig);
}

/** What 0.1.0 kept: an adapter that was gone on from may have brought other settings. */
function configuredLora(story: RunStory): (LoraConfig & { scale: number }) | undefined {
  const { lora, adapter } = configOf(story);
  if (story.record?.method === 'full' || adapter !== undefined || !lora?.targetModules) return undefined;
  const { rank, alpha, dropout = 0, rslora = false, targetModules } = lora;
  if (rank === undefined || alpha === undefined) return undefined;
  return { rank, alpha, dropout, rslora, targetModules, scale: scaleOf(rank, alpha, rslora) };
}

function peftLora(config: RunStory['adapterConfig']): (LoraConfig & { scale: number }) | undefined {
  const rank = config?.r;
  const alpha = config?.lora_alpha;
  if (typeof rank !== 'number' || typeof alpha !== 'number' || !(rank > 0)) return undefined;
  const rslora = config?.use_rslora === true;
  const targets = config?.target_modules;
  const dropout = config?.lora_dropout;
  return {
    rank,
    alpha,
    rslora,
    dropout: typeof dropout === 'number' ? dropout : 0,
    targetModules: Array.isArray(targets) ? targets.map(String) : String(targets ?? ''),
    scale: scaleOf(rank, alpha, rslora),
  };
}

function scaleOf(rank: number, alpha: number, rslora: boolean): number {
  return alpha / (rslora ? Math.sqrt(rank) : rank);
}

/** Told apart by content; unknown where no check looked. */
export function distinctPictures({ record }: RunStory, split: 'train' | 'validation'): number | undefined {
  return record?.check?.splits.find((one) => one.split === split)?.images.distinct;
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
