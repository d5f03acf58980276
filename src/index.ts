/** The library: everything that the command does, for programs. `lorikeet/loss` stands apart, for browsers too. */
export type { Chance, DataCheck, Overlap, SharedData, SplitCheck } from './check/data-check.ts';
export { describeCheck } from './check/describe.ts';
export {
  type AdapterComparison,
  compareAdapters,
  type UpdateComparison,
} from './checkpoint/adapter-compare.ts';
export {
  type AdapterFacts,
  type AdapterKind,
  type AdapterModule,
  type AdapterSettings,
  readAdapterFacts,
} from './checkpoint/adapter-facts.ts';
export { type AdapterFit, checkAdapterFit } from './checkpoint/adapter-fit.ts';
export { type MergeOptions, merge } from './checkpoint/merge.ts';
export type { MergeProgress, MergeReport, MergeRounding } from './checkpoint/merge-report.ts';
export { exportOnnx, type OnnxExportOptions } from './checkpoint/onnx-export.ts';
export type { BestMetric } from './config/best-metrics.ts';
export { defineConfig } from './config/define.ts';
export { type ConfigDecision, type LoadedConfig, loadConfig, resolveConfig } from './config/load.ts';
export type { Config, ConfigInput } from './config/schema.ts';
export { type ErrorCode, type ErrorPlace, LorikeetError } from './errors.ts';
export { describeEvaluation } from './evaluate/describe.ts';
export {
  type AnsweringEvent,
  type EvaluatedEvent,
  type EvaluationEvent,
  evaluate,
  type LostEvent,
  type UnfinishedEvent,
} from './evaluate/evaluate.ts';
export type { EvaluateOptions, EvaluationSplit } from './evaluate/plan.ts';
export type { Prediction, ScoredAnswer } from './evaluate/prediction.ts';
export type {
  AnswerCalibration,
  ChangedRow,
  Comparison,
  Difference,
  FloorTest,
  ImageTest,
  Losses,
  Scorecard,
  ScoredModel,
  Scores as AnswerScores,
  TypeScores,
} from './evaluate/scorecard.ts';
export type { AnswerStream } from './generate/answer-stream.ts';
export type { ModelFacts, Pictures } from './generate/calls.ts';
export type { Finish } from './generate/decode.ts';
export type { Answer } from './generate/engine.ts';
export {
  type About,
  type CallOptions,
  type Chat,
  type LoadOptions,
  loadModel,
  type Model,
  type UserTurn,
} from './generate/model.ts';
export type {
  AnswerOptions,
  AnswerRequest,
  Message,
  MessagePart,
  Picture,
  Question,
} from './generate/request.ts';
export type { SamplingOptions } from './generate/sampling.ts';
export { modelFolder } from './hub/model-folder.ts';
export { type PullEvent, type Pulled, type PullOptions, pull } from './hub/pull.ts';
export {
  type Inspection,
  type InspectOptions,
  inspect,
  openInspection,
} from './inspect/inspection.ts';
export type { Unmatched } from './inspect/open-dump.ts';
export type {
  InspectedImage,
  InspectedRow,
  InspectedToken,
  LabelToken,
  MaskedToken,
  MaskReason,
  ReasonTally,
  RefusedRow,
  RowWouldBe,
  SeenRow,
  TokenWouldBe,
  TopToken,
} from './inspect/row.ts';
export { type CrossEntropyOptions, type CrossEntropyResult, crossEntropy, type Logits } from './loss.ts';
export type { Estimate, Interval } from './metrics/bootstrap.ts';
export { type Finding, findingsOf } from './report/findings.ts';
export { type Methods, methodsOf } from './report/methods.ts';
export { readRun } from './report/read-run.ts';
export type { EvaluationPoint, FinishPoint, RunStory, StepPoint, WarningPoint } from './report/run-story.ts';
export { type Slide, slideOf } from './report/slide.ts';
export { type ReportOptions, type WrittenReport, writeReport } from './report/write-report.ts';
export { writeSlide } from './report/write-slide.ts';
export { type CheckedEvent, type CheckOptions, check } from './train/check.ts';
export type { DiskNeed } from './train/disk-need.ts';
export {
  type EstimatedEvent,
  type EstimateOptions,
  estimate,
  type MeasuringEvent,
  type RunEstimate,
} from './train/estimate.ts';
export type {
  BaseFacts,
  BaselineEvent,
  Best,
  CheckEvent,
  CheckpointEvent,
  DataSummary,
  Decision,
  EarlyStop,
  EstimateEvent,
  EvaluateEvent,
  Evaluation,
  FinishEvent,
  GivenAnswers,
  NoticeEvent,
  PlannedMemory,
  Resumption,
  Scores,
  ScoringEvent,
  SkipEvent,
  StartEvent,
  StepEvent,
  TrainEvent,
  WarningEvent,
} from './train/events.ts';
export {
  timingFields,
  withoutTiming,
} from './train/events.ts';
export type { MemoryNeed, RunCut } from './train/memory-need.ts';
export { loadRepeat } from './train/repeat.ts';
export type { RowScore, TokenScore } from './train/row-scores.ts';
export type { PartTime, TimeNeed } from './train/time-need.ts';
export { type TrainOptions, train } from './trainer/train.ts';
export { type Watching, type WatchOptions, watch } from './watch/watch.ts';
