// SPDX-License-Identifier: MIT OR Apache-2.0
// Written by `sightline schemas` from the Rust types in src/wire: do not edit. `make schemas` writes it anew.
/* eslint-disable */

/** A part of the answer. */
export type AnswerPart = {
  /** The words so far. */
  text: string;
  type: "text";
} | {
  /** The words so far. */
  transcript: string;
  type: "audio";
};

/** How full the archive is. */
export interface ArchiveView {
  /** Bytes on disk, of all memories. */
  bytes: number;
  /** Bytes it may take; the oldest pictures go first. */
  quota_bytes: number;
}

/** Both. */
export interface AudioConfig {
  /** Coming in. */
  input: AudioInput;
  /** Going out. */
  output: AudioOutput;
}

/** A sound format of the buffer that clients append to. */
export type AudioFormat = {
  /** Samples per second: 16 000 or 24 000. */
  rate: number;
  type: "audio/pcm";
} | {
  type: "audio/pcmu";
} | {
  type: "audio/pcma";
};

/** Sound coming in. */
export interface AudioInput {
  /** Format of appended sound. */
  format: AudioFormat;
  /** Kept as given; nothing is filtered. */
  noise_reduction: unknown;
  /** Null: no transcription events (speech is still understood). */
  transcription: Transcription | null;
  /** Null: the client commits turns itself. */
  turn_detection: TurnDetection | null;
}

export interface AudioInputUpdate {
  format?: FormatUpdate | null;
  noise_reduction?: unknown;
  transcription?: TranscriptionUpdate | null;
  /** Null: the client commits turns itself. */
  turn_detection?: TurnUpdate | null;
}

/** Vendor: how loud it is, and whether that is speech. */
export interface AudioLevelEvent {
  dbfs: number;
  /** `event_…`. */
  event_id: string;
  /** Number of the event in its session, for the client that asked for `resume`: each next one is larger. */
  server_event_seq?: number | null;
  speaking: boolean;
  type: "audio.level";
}

/** Sound going out. */
export interface AudioOutput {
  /** Format of `response.output_audio.delta`; a media track is always Opus. */
  format: AudioFormat;
  /** How fast it speaks: 1 is its own pace. */
  speed: number;
  /** Voice in force; `none` when answers cannot be spoken. */
  voice: string;
}

export interface AudioOutputUpdate {
  format?: FormatUpdate | null;
  speed?: number | null;
  voice?: unknown;
}

export interface AudioUpdate {
  input?: AudioInputUpdate | null;
  output?: AudioOutputUpdate | null;
}

/** Cached tokens by kind. */
export interface CachedDetails {
  /** None. */
  audio_tokens: number;
  /** None. */
  image_tokens: number;
  /** All of them. */
  text_tokens: number;
}

/** An event that was merged into another, with what of it survives. */
export interface ChildView {
  /** What perception knew of it. */
  caption: string;
  /** Milliseconds since the memory began. */
  end_ms: number;
  /** `ev_…`. */
  id: string;
  /** Its one picture. */
  keyframe: KeyframeView | null;
  /** Milliseconds since the memory began. */
  start_ms: number;
}

/** What an answer rests on. */
export interface CitationView {
  /** Milliseconds since the memory began. */
  end_ms: number;
  /** `ev_…`; null for the last half minute, which is no event yet. */
  event_id: string | null;
  /** `kf_…` that can be fetched. */
  keyframes: string[];
  /** How well it fits what was asked, `0.0..=1.0`. */
  similarity: number;
  /** Milliseconds since the memory began. */
  start_ms: number;
}

/** An item came into the conversation. */
export interface ConversationItemAddedEvent {
  /** `event_…`. */
  event_id: string;
  item: ItemView;
  previous_item_id: string | null;
  /** Number of the event in its session, for the client that asked for `resume`: each next one is larger. */
  server_event_seq?: number | null;
  type: "conversation.item.added";
}

/** A new item of the conversation. */
export interface ConversationItemCreateEvent {
  /** Given back in `error.error.event_id` when the event is refused. */
  event_id?: string | null;
  item: ItemCreate;
  /** After which item: `root` for the front, absent for the end. */
  previous_item_id?: string | null;
  type: "conversation.item.create";
}

/** Deletes an item. */
export interface ConversationItemDeleteEvent {
  /** Given back in `error.error.event_id` when the event is refused. */
  event_id?: string | null;
  item_id: string;
  type: "conversation.item.delete";
}

/** An item is gone: deleted by the client, or the oldest of too many. */
export interface ConversationItemDeletedEvent {
  /** `event_…`. */
  event_id: string;
  item_id: string;
  /** Number of the event in its session, for the client that asked for `resume`: each next one is larger. */
  server_event_seq?: number | null;
  type: "conversation.item.deleted";
}

/** An item is whole. */
export interface ConversationItemDoneEvent {
  /** `event_…`. */
  event_id: string;
  item: ItemView;
  previous_item_id: string | null;
  /** Number of the event in its session, for the client that asked for `resume`: each next one is larger. */
  server_event_seq?: number | null;
  type: "conversation.item.done";
}

/** Everything that was heard; empty when there were no words. */
export interface ConversationItemInputAudioTranscriptionCompletedEvent {
  content_index: number;
  /** `event_…`. */
  event_id: string;
  item_id: string;
  /** Number of the event in its session, for the client that asked for `resume`: each next one is larger. */
  server_event_seq?: number | null;
  transcript: string;
  type: "conversation.item.input_audio_transcription.completed";
  usage: TranscriptionUsage;
}

/** Words heard so far. */
export interface ConversationItemInputAudioTranscriptionDeltaEvent {
  content_index: number;
  delta: string;
  /** `event_…`. */
  event_id: string;
  item_id: string;
  /** Number of the event in its session, for the client that asked for `resume`: each next one is larger. */
  server_event_seq?: number | null;
  type: "conversation.item.input_audio_transcription.delta";
}

/** Speech could not be written down. */
export interface ConversationItemInputAudioTranscriptionFailedEvent {
  content_index: number;
  error: WireError;
  /** `event_…`. */
  event_id: string;
  item_id: string;
  /** Number of the event in its session, for the client that asked for `resume`: each next one is larger. */
  server_event_seq?: number | null;
  type: "conversation.item.input_audio_transcription.failed";
}

/** Shows an item again. */
export interface ConversationItemRetrieveEvent {
  /** Given back in `error.error.event_id` when the event is refused. */
  event_id?: string | null;
  item_id: string;
  type: "conversation.item.retrieve";
}

/** Answer to `conversation.item.retrieve`. */
export interface ConversationItemRetrievedEvent {
  /** `event_…`. */
  event_id: string;
  item: ItemView;
  /** Number of the event in its session, for the client that asked for `resume`: each next one is larger. */
  server_event_seq?: number | null;
  type: "conversation.item.retrieved";
}

/** Cuts the sound of an item that was not heard to its end. */
export interface ConversationItemTruncateEvent {
  audio_end_ms?: number | null;
  content_index?: number | null;
  /** Given back in `error.error.event_id` when the event is refused. */
  event_id?: string | null;
  item_id: string;
  type: "conversation.item.truncate";
}

/** Answer to `conversation.item.truncate`. */
export interface ConversationItemTruncatedEvent {
  audio_end_ms: number;
  content_index: number;
  /** `event_…`. */
  event_id: string;
  item_id: string;
  /** Number of the event in its session, for the client that asked for `resume`: each next one is larger. */
  server_event_seq?: number | null;
  type: "conversation.item.truncated";
}

export type ConversationName = "auto" | "none";

/** How soon a person may be taken to have finished. */
export type Eagerness = "low" | "medium" | "high" | "auto";

/** An event was refused, or something failed; the session goes on. */
export interface ErrorEvent {
  error: WireError;
  /** `event_…`. */
  event_id: string;
  /** Number of the event in its session, for the client that asked for `resume`: each next one is larger. */
  server_event_seq?: number | null;
  type: "error";
}

/** The `type` of an error. */
export type ErrorType = "invalid_request_error" | "server_error" | "rate_limit_error";

/** A stretch of what was seen. */
export interface EventView {
  /** What perception knew. */
  caption: string;
  /** What was merged into it, oldest first. */
  children: ChildView[];
  /** How many times it was merged. */
  depth: number;
  /** Milliseconds since the memory began. */
  end_ms: number;
  /** `ev_…`. */
  id: string;
  /** Its pictures, oldest first. */
  keyframes: KeyframeView[];
  /** What was said, oldest first. */
  said: SaidView[];
  /** Milliseconds since the memory began. */
  start_ms: number;
  /** `open`, `episodic` or `long_term`. */
  tier: string;
}

/** A kind of vendor event that a client can ask for. */
export type Extension = "latency" | "video" | "scene" | "audio" | "memory" | "resume" | "captions";

export type FormatName = "audio/pcm" | "audio/pcmu" | "audio/pcma" | "pcm16" | "g711_ulaw" | "g711_alaw";

/** A sound format, by its name or as an object. */
export type FormatUpdate = FormatName | {
  /** Of `audio/pcm`: 16000 or 24000. */
  rate?: number | null;
  type: FormatName;
};

export type FunctionWord = "function";

/** A data URI, or the spelling of chat completions. */
export type ImageAddress = string | {
  url: string;
};

/** The word `inf`. */
export type Inf = "inf";

export type InfWord = "inf";

/** Sound in the session's input format. */
export interface InputAudioBufferAppendEvent {
  /** Base64; may be absent where pictures are. */
  audio?: string | null;
  /** Given back in `error.error.event_id` when the event is refused. */
  event_id?: string | null;
  type: "input_audio_buffer.append";
  /** Vendor: pictures of a camera, each a JPEG in base64. */
  video_frames?: string[] | null;
}

/** The sound so far is thrown away. */
export interface InputAudioBufferClearEvent {
  /** Given back in `error.error.event_id` when the event is refused. */
  event_id?: string | null;
  type: "input_audio_buffer.clear";
}

/** Sound was thrown away. */
export interface InputAudioBufferClearedEvent {
  /** `event_…`. */
  event_id: string;
  /** Number of the event in its session, for the client that asked for `resume`: each next one is larger. */
  server_event_seq?: number | null;
  type: "input_audio_buffer.cleared";
}

/** The sound so far is a turn. */
export interface InputAudioBufferCommitEvent {
  /** Given back in `error.error.event_id` when the event is refused. */
  event_id?: string | null;
  type: "input_audio_buffer.commit";
}

/** Sound became an item. */
export interface InputAudioBufferCommittedEvent {
  /** `event_…`. */
  event_id: string;
  item_id: string;
  previous_item_id: string | null;
  /** Number of the event in its session, for the client that asked for `resume`: each next one is larger. */
  server_event_seq?: number | null;
  type: "input_audio_buffer.committed";
}

/** Somebody began to speak. */
export interface InputAudioBufferSpeechStartedEvent {
  audio_start_ms: number;
  /** `event_…`. */
  event_id: string;
  item_id: string;
  /** Number of the event in its session, for the client that asked for `resume`: each next one is larger. */
  server_event_seq?: number | null;
  type: "input_audio_buffer.speech_started";
}

/** The speaker finished. */
export interface InputAudioBufferSpeechStoppedEvent {
  audio_end_ms: number;
  /** `event_…`. */
  event_id: string;
  item_id: string;
  /** Number of the event in its session, for the client that asked for `resume`: each next one is larger. */
  server_event_seq?: number | null;
  type: "input_audio_buffer.speech_stopped";
}

/** Nobody has said anything for as long as `idle_timeout_ms` says; the silence becomes an item, and is answered. */
export interface InputAudioBufferTimeoutTriggeredEvent {
  audio_end_ms: number;
  audio_start_ms: number;
  /** `event_…`. */
  event_id: string;
  item_id: string;
  /** Number of the event in its session, for the client that asked for `resume`: each next one is larger. */
  server_event_seq?: number | null;
  type: "input_audio_buffer.timeout_triggered";
}

/** Tokens in, by kind. */
export interface InputDetails {
  /** None. */
  audio_tokens: number;
  /** Of them, taken from the cache. */
  cached_tokens: number;
  /** The same by kind. */
  cached_tokens_details: CachedDetails;
  /** None. */
  image_tokens: number;
  /** All of them: what is seen and heard reaches the model as words. */
  text_tokens: number;
}

/** Vendor: somebody types a question. */
export interface InputTextTypingEvent {
  /** Given back in `error.error.event_id` when the event is refused. */
  event_id?: string | null;
  type: "input_text.typing";
}

/** Vendor: how the incoming video does. */
export interface InputVideoStatsEvent {
  /** Decoded pictures per second. */
  decoded_fps: number;
  /** Pictures dropped so far, for any reason. */
  dropped: number;
  /** `event_…`. */
  event_id: string;
  /** Rows. */
  height: number;
  /** Age of the newest picture, milliseconds. */
  last_frame_ms: number;
  /** Number of the event in its session, for the client that asked for `resume`: each next one is larger. */
  server_event_seq?: number | null;
  type: "input_video.stats";
  /** Pictures that perception looked at, per second. */
  watched_fps: number;
  /** Pixels per row. */
  width: number;
}

/** A stretch of time. */
export interface IntervalView {
  /** Milliseconds since the memory began. */
  end_ms: number;
  /** Milliseconds since the memory began. */
  start_ms: number;
}

/** A new item. */
export type ItemCreate = {
  content: PartCreate[];
  id?: string | null;
  role: ItemRole;
  type: "message";
} | {
  arguments?: string | null;
  call_id?: string | null;
  id?: string | null;
  name: string;
  type: "function_call";
} | {
  call_id: string;
  id?: string | null;
  output?: string | null;
  type: "function_call_output";
} | {
  id: string;
  type: "item_reference";
};

/** Who an item comes from. */
export type ItemRole = "system" | "user" | "assistant";

/** Whether an item is whole. */
export type ItemStatus = "in_progress" | "completed" | "incomplete";

/** An item as it is shown to clients. */
export interface ItemView {
  /** Arguments; calls only. */
  arguments?: string | null;
  /** Which call; function items only. */
  call_id?: string | null;
  /** Parts of a message; absent for function items. */
  content?: PartView[] | null;
  /** `item_…` or the client's own. */
  id: string;
  /** Name of the function; calls only. */
  name?: string | null;
  /** Always `realtime.item`. */
  object: "realtime.item";
  /** Result; outputs only. */
  output?: string | null;
  /** From whom; absent for function items. */
  role?: ItemRole | null;
  /** Whether it is whole. */
  status: ItemStatus;
  /** `message`, `function_call` or `function_call_output`. */
  type: "message" | "function_call" | "function_call_output";
}

/** One picture that is kept, without its bytes: `GET /v1/sessions/{memory_id}/keyframes/{id}` serves them. */
export interface KeyframeView {
  /** Milliseconds since the memory began. */
  at_ms: number;
  /** `kf_…`. */
  id: string;
}

/** A whole number from 1 to 4096, or `inf`. */
export type MaxOutput = number | InfWord;

/** A limit on the length of an answer. */
export type MaxTokens = number | Inf;

/** Vendor: one of `last_ms`, `start_ms` with `end_ms`, or `all`. */
export interface MemoryForgetEvent {
  all?: boolean | null;
  end_ms?: number | null;
  /** Given back in `error.error.event_id` when the event is refused. */
  event_id?: string | null;
  last_ms?: number | null;
  start_ms?: number | null;
  type: "memory.forget";
}

/** Vendor: this is gone, from memory and from disk. */
export interface MemoryForgottenEvent {
  end_ms: number;
  /** `event_…`. */
  event_id: string;
  events: number;
  keyframes: number;
  /** Number of the event in its session, for the client that asked for `resume`: each next one is larger. */
  server_event_seq?: number | null;
  start_ms: number;
  type: "memory.forgotten";
}

/** Vendor: all that is remembered. */
export interface MemoryTimelineEvent {
  /** Opens the keyframes, and this memory again after a restart. Whoever has it owns the memory. */
  access_token: string;
  /** `event_…`. */
  event_id: string;
  /** Oldest first. */
  events: EventView[];
  /** `mem_…`. */
  memory_id: string;
  /** Milliseconds since the memory began. */
  now_ms: number;
  /** Number of the event in its session, for the client that asked for `resume`: each next one is larger. */
  server_event_seq?: number | null;
  /** When the memory began, Unix milliseconds. */
  started_unix_ms: number;
  /** How full it is. */
  tiers: TiersView;
  type: "memory.timeline";
  /** What is watched for. */
  watches: WatchView[];
}

/** Vendor: all that is remembered. */
export interface MemoryTimelineGetEvent {
  /** Given back in `error.error.event_id` when the event is refused. */
  event_id?: string | null;
  type: "memory.timeline.get";
}

/** Vendor: what changed in the memory, at most once a second. */
export interface MemoryUpdatedEvent {
  changed: EventView[];
  /** `event_…`. */
  event_id: string;
  merged: MergeView[];
  now_ms: number;
  removed: string[];
  /** Number of the event in its session, for the client that asked for `resume`: each next one is larger. */
  server_event_seq?: number | null;
  tiers: TiersView;
  type: "memory.updated";
}

/** Vendor: says so by itself when something is seen. */
export interface MemoryWatchCreateEvent {
  /** In words: `when you see a cup`. */
  condition: string;
  /** Given back in `error.error.event_id` when the event is refused. */
  event_id?: string | null;
  type: "memory.watch.create";
}

/** Vendor: something is watched for from now on. */
export interface MemoryWatchCreatedEvent {
  /** `event_…`. */
  event_id: string;
  /** Number of the event in its session, for the client that asked for `resume`: each next one is larger. */
  server_event_seq?: number | null;
  type: "memory.watch.created";
  watch: WatchView;
}

/** Vendor: ends that. */
export interface MemoryWatchDeleteEvent {
  /** Given back in `error.error.event_id` when the event is refused. */
  event_id?: string | null;
  type: "memory.watch.delete";
  watch_id: string;
}

/** Vendor: it is not watched for any more. */
export interface MemoryWatchEndedEvent {
  /** `event_…`. */
  event_id: string;
  reason: string;
  /** Number of the event in its session, for the client that asked for `resume`: each next one is larger. */
  server_event_seq?: number | null;
  type: "memory.watch.ended";
  watch: WatchView;
}

/** Vendor: it happened; the response that says so was not asked for. */
export interface MemoryWatchFiredEvent {
  /** `event_…`. */
  event_id: string;
  response_id: string;
  /** Number of the event in its session, for the client that asked for `resume`: each next one is larger. */
  server_event_seq?: number | null;
  type: "memory.watch.fired";
  watch: WatchView;
}

/** Two events that became one. */
export interface MergeView {
  /** The two. */
  from: [string, string];
  /** The one. */
  into: string;
}

/** In what form answers are given. */
export type Modality = "text" | "audio";

/** A tool by its name. */
export interface NamedTool {
  /** Its name. */
  name: string;
  /** Always `function`. */
  type: "function";
}

/** Throws away sound that was not played yet. */
export interface OutputAudioBufferClearEvent {
  /** Given back in `error.error.event_id` when the event is refused. */
  event_id?: string | null;
  type: "output_audio_buffer.clear";
}

/** What was left to play of an answer was thrown away. */
export interface OutputAudioBufferClearedEvent {
  /** `event_…`. */
  event_id: string;
  response_id: string;
  /** Number of the event in its session, for the client that asked for `resume`: each next one is larger. */
  server_event_seq?: number | null;
  type: "output_audio_buffer.cleared";
}

/** The media track begins to play an answer. */
export interface OutputAudioBufferStartedEvent {
  /** `event_…`. */
  event_id: string;
  response_id: string;
  /** Number of the event in its session, for the client that asked for `resume`: each next one is larger. */
  server_event_seq?: number | null;
  type: "output_audio_buffer.started";
}

/** The media track has played an answer to its end. */
export interface OutputAudioBufferStoppedEvent {
  /** `event_…`. */
  event_id: string;
  response_id: string;
  /** Number of the event in its session, for the client that asked for `resume`: each next one is larger. */
  server_event_seq?: number | null;
  type: "output_audio_buffer.stopped";
}

/** Tokens out, by kind. */
export interface OutputDetails {
  /** What was said aloud: one for every 50 ms of sound. */
  audio_tokens: number;
  /** What the model wrote. */
  text_tokens: number;
}

/** A part of a message: pictures and `input_audio` are the person's, `output_audio` is the assistant's. */
export type PartCreate = {
  text: string;
  type: "input_text";
} | {
  text: string;
  type: "text";
} | {
  text: string;
  type: "output_text";
} | {
  detail?: string | null;
  /** `data:image/jpeg;base64,…` or PNG. */
  image_url: ImageAddress;
  type: "input_image";
} | {
  audio?: string | null;
  transcript?: string | null;
  type: "input_audio";
} | {
  audio?: string | null;
  transcript?: string | null;
  type: "audio";
} | {
  audio?: string | null;
  transcript?: string | null;
  type: "output_audio";
};

/** A part of an item as it is shown to clients: without picture or sound data, which would only travel back. */
export type PartView = {
  /** The words. */
  text: string;
  type: "input_text";
} | {
  /** As given. */
  detail: string;
  type: "input_image";
} | {
  /** What was said; null until it is known. */
  transcript: string | null;
  type: "input_audio";
} | {
  /** The words. */
  text: string;
  type: "output_text";
} | {
  /** What was said; once it is known what of it was heard, only that. */
  transcript: string;
  type: "output_audio";
};

/** One line of `rate_limits.updated`. */
export interface RateLimit {
  /** How many there may be. */
  limit: number;
  /** `requests` or `tokens`. */
  name: string;
  /** How many are left. */
  remaining: number;
  /** Until when. */
  reset_seconds: number;
}

/** Stock clients wait for it; there are no limits per session yet. */
export interface RateLimitsUpdatedEvent {
  /** `event_…`. */
  event_id: string;
  rate_limits: RateLimit[];
  /** Number of the event in its session, for the client that asked for `resume`: each next one is larger. */
  server_event_seq?: number | null;
  type: "rate_limits.updated";
}

export type RealtimeKind = "realtime" | "transcription";

/** Stops an answer: the one that is running when none is named. */
export interface ResponseCancelEvent {
  /** Given back in `error.error.event_id` when the event is refused. */
  event_id?: string | null;
  response_id?: string | null;
  type: "response.cancel";
}

/** A part of the answer begins. */
export interface ResponseContentPartAddedEvent {
  /** Index of the part in the item's content. */
  content_index: number;
  /** `event_…`. */
  event_id: string;
  /** Which item. */
  item_id: string;
  /** Index of the item in the response's output. */
  output_index: number;
  part: AnswerPart;
  /** Which response. */
  response_id: string;
  /** Number of the event in its session, for the client that asked for `resume`: each next one is larger. */
  server_event_seq?: number | null;
  type: "response.content_part.added";
}

/** A part of the answer is whole. */
export interface ResponseContentPartDoneEvent {
  /** Index of the part in the item's content. */
  content_index: number;
  /** `event_…`. */
  event_id: string;
  /** Which item. */
  item_id: string;
  /** Index of the item in the response's output. */
  output_index: number;
  part: AnswerPart;
  /** Which response. */
  response_id: string;
  /** Number of the event in its session, for the client that asked for `resume`: each next one is larger. */
  server_event_seq?: number | null;
  type: "response.content_part.done";
}

/** What is asked of one answer. */
export interface ResponseCreate {
  /** `none`: outside the conversation. */
  conversation?: ConversationName | null;
  /** Instead of the conversation. */
  input?: ItemCreate[] | null;
  instructions?: string | null;
  max_output_tokens?: MaxOutput | null;
  /** Given back in the response. */
  metadata?: Record<string, unknown> | null;
  output_modalities?: string[] | null;
  /** Whether several calls may be made. */
  parallel_tool_calls?: boolean | null;
  /** Instead of the session's. */
  tool_choice?: ToolChoiceUpdate | null;
  /** Instead of the session's. */
  tools?: ToolUpdate[] | null;
}

/** Asks for an answer. */
export interface ResponseCreateEvent {
  /** Given back in `error.error.event_id` when the event is refused. */
  event_id?: string | null;
  response?: ResponseCreate | null;
  type: "response.create";
}

/** An answer begins. */
export interface ResponseCreatedEvent {
  /** `event_…`. */
  event_id: string;
  response: ResponseView;
  /** Number of the event in its session, for the client that asked for `resume`: each next one is larger. */
  server_event_seq?: number | null;
  type: "response.created";
}

/** Vendor: a stage was over its budget and something was given up for it. */
export interface ResponseDegradedEvent {
  /** `event_…`. */
  event_id: string;
  reason: string;
  response_id: string | null;
  /** Number of the event in its session, for the client that asked for `resume`: each next one is larger. */
  server_event_seq?: number | null;
  step: string;
  type: "response.degraded";
}

/** An answer ended, one way or another. */
export interface ResponseDoneEvent {
  /** `event_…`. */
  event_id: string;
  response: ResponseView;
  /** Number of the event in its session, for the client that asked for `resume`: each next one is larger. */
  server_event_seq?: number | null;
  type: "response.done";
}

/** More of the arguments of a call. */
export interface ResponseFunctionCallArgumentsDeltaEvent {
  call_id: string;
  delta: string;
  /** `event_…`. */
  event_id: string;
  item_id: string;
  output_index: number;
  response_id: string;
  /** Number of the event in its session, for the client that asked for `resume`: each next one is larger. */
  server_event_seq?: number | null;
  type: "response.function_call_arguments.delta";
}

/** All arguments of a call: JSON that was checked against the tool's schema. */
export interface ResponseFunctionCallArgumentsDoneEvent {
  arguments: string;
  call_id: string;
  /** `event_…`. */
  event_id: string;
  item_id: string;
  name: string;
  output_index: number;
  response_id: string;
  /** Number of the event in its session, for the client that asked for `resume`: each next one is larger. */
  server_event_seq?: number | null;
  type: "response.function_call_arguments.done";
}

/** Vendor: where the time went. */
export interface ResponseLatencyEvent {
  /** End of turn → transcript. */
  asr_ms: number | null;
  /** What `total_ms` may be. */
  budget_ms: number;
  /** What each stage may take. */
  budgets_ms: StageBudgets;
  /** `event_…`. */
  event_id: string;
  /** Prompt handed over → first token. */
  first_token_ms: number | null;
  /** End of speech (or `response.create`) → the first words, which may be those that the answer must begin with. */
  first_words_ms: number | null;
  /** Waiting for a fresh look at the newest frame. */
  perceive_ms: number | null;
  /** Prompt handed over → prompt taken in by the model. */
  prefill_ms: number | null;
  /** A question about the past → its meaning is known, or is not waited for any longer. */
  recall_ms: number | null;
  response_id: string;
  /** Number of the event in its session, for the client that asked for `resume`: each next one is larger. */
  server_event_seq?: number | null;
  /** End of speech (or `response.create`) → first token. */
  total_ms: number | null;
  type: "response.latency";
  /** End of speech → end of turn decided and known. */
  vad_end_ms: number | null;
}

/** Vendor: how a question was understood, and what its answer rests on. */
export interface ResponseMemoryEvent {
  citations: CitationView[];
  /** `event_…`. */
  event_id: string;
  interval: IntervalView | null;
  response_id: string;
  route: string;
  seen: boolean;
  /** Number of the event in its session, for the client that asked for `resume`: each next one is larger. */
  server_event_seq?: number | null;
  type: "response.memory";
}

/** More sound of a spoken answer, base64 in the session's output format. Not sent where there is a media track for it. */
export interface ResponseOutputAudioDeltaEvent {
  /** Index of the part in the item's content. */
  content_index: number;
  delta: string;
  /** `event_…`. */
  event_id: string;
  /** Which item. */
  item_id: string;
  /** Index of the item in the response's output. */
  output_index: number;
  /** Which response. */
  response_id: string;
  /** Number of the event in its session, for the client that asked for `resume`: each next one is larger. */
  server_event_seq?: number | null;
  type: "response.output_audio.delta";
}

/** All sound of a spoken answer was made. */
export interface ResponseOutputAudioDoneEvent {
  /** Index of the part in the item's content. */
  content_index: number;
  /** `event_…`. */
  event_id: string;
  /** Which item. */
  item_id: string;
  /** Index of the item in the response's output. */
  output_index: number;
  /** Which response. */
  response_id: string;
  /** Number of the event in its session, for the client that asked for `resume`: each next one is larger. */
  server_event_seq?: number | null;
  type: "response.output_audio.done";
}

/** More words of a spoken answer. */
export interface ResponseOutputAudioTranscriptDeltaEvent {
  /** Index of the part in the item's content. */
  content_index: number;
  delta: string;
  /** `event_…`. */
  event_id: string;
  /** Which item. */
  item_id: string;
  /** Index of the item in the response's output. */
  output_index: number;
  /** Which response. */
  response_id: string;
  /** Number of the event in its session, for the client that asked for `resume`: each next one is larger. */
  server_event_seq?: number | null;
  type: "response.output_audio_transcript.delta";
}

/** All words of a spoken answer. */
export interface ResponseOutputAudioTranscriptDoneEvent {
  /** Index of the part in the item's content. */
  content_index: number;
  /** `event_…`. */
  event_id: string;
  /** Which item. */
  item_id: string;
  /** Index of the item in the response's output. */
  output_index: number;
  /** Which response. */
  response_id: string;
  /** Number of the event in its session, for the client that asked for `resume`: each next one is larger. */
  server_event_seq?: number | null;
  transcript: string;
  type: "response.output_audio_transcript.done";
}

/** Vendor: when words of a spoken answer are heard. On a media track it comes as the first of them is played, else before its sound. */
export interface ResponseOutputAudioWordsEvent {
  /** Index of the part in the item's content. */
  content_index: number;
  /** `event_…`. */
  event_id: string;
  /** Which item. */
  item_id: string;
  /** Index of the item in the response's output. */
  output_index: number;
  /** Which response. */
  response_id: string;
  /** Number of the event in its session, for the client that asked for `resume`: each next one is larger. */
  server_event_seq?: number | null;
  type: "response.output_audio.words";
  words: WordView[];
}

/** An item of the answer begins. */
export interface ResponseOutputItemAddedEvent {
  /** `event_…`. */
  event_id: string;
  item: ItemView;
  output_index: number;
  response_id: string;
  /** Number of the event in its session, for the client that asked for `resume`: each next one is larger. */
  server_event_seq?: number | null;
  type: "response.output_item.added";
}

/** An item of the answer is whole. */
export interface ResponseOutputItemDoneEvent {
  /** `event_…`. */
  event_id: string;
  item: ItemView;
  output_index: number;
  response_id: string;
  /** Number of the event in its session, for the client that asked for `resume`: each next one is larger. */
  server_event_seq?: number | null;
  type: "response.output_item.done";
}

/** More words of the answer. */
export interface ResponseOutputTextDeltaEvent {
  /** Index of the part in the item's content. */
  content_index: number;
  delta: string;
  /** `event_…`. */
  event_id: string;
  /** Which item. */
  item_id: string;
  /** Index of the item in the response's output. */
  output_index: number;
  /** Which response. */
  response_id: string;
  /** Number of the event in its session, for the client that asked for `resume`: each next one is larger. */
  server_event_seq?: number | null;
  type: "response.output_text.delta";
}

/** All words of the answer. */
export interface ResponseOutputTextDoneEvent {
  /** Index of the part in the item's content. */
  content_index: number;
  /** `event_…`. */
  event_id: string;
  /** Which item. */
  item_id: string;
  /** Index of the item in the response's output. */
  output_index: number;
  /** Which response. */
  response_id: string;
  /** Number of the event in its session, for the client that asked for `resume`: each next one is larger. */
  server_event_seq?: number | null;
  text: string;
  type: "response.output_text.done";
}

/** How a response stands. */
export type ResponseStatus = "in_progress" | "completed" | "cancelled" | "incomplete" | "failed";

/** A response as it is shown to clients. */
export interface ResponseView {
  /** Null for a response outside the conversation. */
  conversation_id: string | null;
  /** `resp_…`. */
  id: string;
  /** The limit in force. */
  max_output_tokens: MaxTokens;
  /** The client's own. */
  metadata: unknown;
  /** Always `realtime.response`. */
  object: "realtime.response";
  /** What was answered. */
  output: ItemView[];
  /** In what form it is given. */
  output_modalities: [Modality];
  /** How it stands. */
  status: ResponseStatus;
  /** Why it is not whole; null when it is. */
  status_details: StatusDetails | null;
  /** Null until it is done. */
  usage: Usage | null;
}

/** Something that was said during an event. */
export interface SaidView {
  /** Milliseconds since the memory began. */
  at_ms: number;
  /** The words. */
  text: string;
  /** `person` or `sightline`. */
  who: string;
}

/** Vendor: what perception sees. */
export interface SceneFactsEvent {
  /** Capture time of the newest frame in it, milliseconds on the session's clock. */
  at_ms: number;
  /** Colours, largest share first. */
  colours: WireColour[];
  /** `event_…`. */
  event_id: string;
  /** What the picture and its crops are taken to be. */
  labels: WireLabel[];
  /** Objects, most confident first. */
  objects: WireObject[];
  /** Number of the event in its session, for the client that asked for `resume`: each next one is larger. */
  server_event_seq?: number | null;
  /** Text in reading order. */
  texts: WireText[];
  type: "scene.facts";
  /** `dark` or `blank` when nothing can be seen. */
  unusable: string | null;
}

/** The session as it stands in `session.created` and `session.updated`: what is in force, not what was asked for. */
export interface SessionConfig {
  /** Sound. */
  audio: AudioConfig;
  /** Seconds since 1970 at which the session ends; 0 when it has no limit. */
  expires_at: number;
  /** Vendor events asked for; absent when none were. */
  extensions?: Extension[];
  /** `sess_…`. */
  id: string;
  /** Extra fields asked for. */
  include: string[] | null;
  /** The client's own instructions; empty for none. */
  instructions: string;
  /** Limit per answer. */
  max_output_tokens: MaxTokens;
  /** The model in force. */
  model: string;
  /** `realtime.session` or `realtime.transcription_session`. */
  object: "realtime.session" | "realtime.transcription_session";
  /** `["text"]` unless the client asked for sound and there is a voice. */
  output_modalities: [Modality];
  /** Accepted and shown. */
  prompt: unknown;
  /** Whether it calls them. */
  tool_choice: ToolChoice;
  /** Functions that the model may call. */
  tools: Tool[];
  /** Accepted and shown. */
  tracing: unknown;
  /** Accepted and shown. */
  truncation: unknown;
  /** What the session does. */
  type: SessionKind;
}

/** First event of a session. */
export interface SessionCreatedEvent {
  /** `event_…`. */
  event_id: string;
  /** Number of the event in its session, for the client that asked for `resume`: each next one is larger. */
  server_event_seq?: number | null;
  session: SessionConfig;
  type: "session.created";
}

/** Vendor: has every event up to this one, which need not be kept for it any longer. */
export interface SessionEventAckEvent {
  /** Given back in `error.error.event_id` when the event is refused. */
  event_id?: string | null;
  server_event_seq: number;
  type: "session.event_ack";
}

/** Vendor: the session is over and nobody can come back to it in this process. */
export interface SessionExpiredEvent {
  /** `event_…`. */
  event_id: string;
  reason: string;
  /** Number of the event in its session, for the client that asked for `resume`: each next one is larger. */
  server_event_seq?: number | null;
  type: "session.expired";
}

/** Vendor: the session ends before long, at the server's side. */
export interface SessionExpiringEvent {
  /** `event_…`. */
  event_id: string;
  reason: string;
  seconds_left: number;
  /** Number of the event in its session, for the client that asked for `resume`: each next one is larger. */
  server_event_seq?: number | null;
  type: "session.expiring";
}

/** What a session does. */
export type SessionKind = "realtime" | "transcription";

/** Vendor: the session goes on over another connection; this one is closed. */
export interface SessionReplacedEvent {
  /** `event_…`. */
  event_id: string;
  /** Number of the event in its session, for the client that asked for `resume`: each next one is larger. */
  server_event_seq?: number | null;
  type: "session.replaced";
}

/** Vendor: what to come back with after a break, and how long that is possible. */
export interface SessionResumableEvent {
  /** `event_…`. */
  event_id: string;
  /** How long the session waits for its client, in milliseconds. */
  grace_ms: number;
  /** `archive`: it outlives the server too, with what was said and seen. `process`: it ends with the server. */
  kept_in: string;
  /** For `?resume=`; replaces the one before. Whoever has it can take the session over. */
  resume_token: string;
  /** Number of the event in its session, for the client that asked for `resume`: each next one is larger. */
  server_event_seq?: number | null;
  type: "session.resumable";
}

/** Vendor: the session goes on over this connection; events that were missed follow. */
export interface SessionResumedEvent {
  attachment_generation: number;
  /** `event_…`. */
  event_id: string;
  /** How long the session waits for its client, in milliseconds. */
  grace_ms: number;
  /** `archive`: it outlives the server too, with what was said and seen. `process`: it ends with the server. */
  kept_in: string;
  replayed: number;
  /** For `?resume=`; replaces the one before. Whoever has it can take the session over. */
  resume_token: string;
  /** Number of the event in its session, for the client that asked for `resume`: each next one is larger. */
  server_event_seq?: number | null;
  session: SessionConfig;
  type: "session.resumed";
}

/** Vendor: events were lost. What the session still holds; everything else that a client knows of is over. */
export interface SessionResyncRequiredEvent {
  /** `event_…`. */
  event_id: string;
  item_ids: string[];
  missed: number | null;
  reason: string;
  response_ids: string[];
  /** Number of the event in its session, for the client that asked for `resume`: each next one is larger. */
  server_event_seq?: number | null;
  type: "session.resync_required";
}

/** A patch of the session: what is absent stays, null and the empty value clear. */
export interface SessionUpdate {
  audio?: AudioUpdate | null;
  /** Vendor events wanted; names that the server does not have are left out. */
  extensions?: string[] | null;
  include?: string[] | null;
  /** Spelling of before GA. */
  input_audio_format?: FormatUpdate | null;
  /** Spelling of before GA. */
  input_audio_noise_reduction?: unknown;
  /** Spelling of before GA. */
  input_audio_transcription?: TranscriptionUpdate | null;
  instructions?: string | null;
  max_output_tokens?: MaxOutput | null;
  /** Spelling of before GA. */
  max_response_output_tokens?: MaxOutput | null;
  /** Spelling of before GA. */
  modalities?: string[] | null;
  /** Shown as the model in force, whatever name is given. */
  model?: unknown;
  /** Spelling of before GA. */
  output_audio_format?: FormatUpdate | null;
  output_modalities?: string[] | null;
  prompt?: unknown;
  tool_choice?: ToolChoiceUpdate | null;
  tools?: ToolUpdate[] | null;
  tracing?: unknown;
  truncation?: unknown;
  /** Spelling of before GA. */
  turn_detection?: TurnUpdate | null;
  type?: RealtimeKind | null;
}

/** Changes what its `session` names and nothing else. */
export interface SessionUpdateEvent {
  /** Given back in `error.error.event_id` when the event is refused. */
  event_id?: string | null;
  session: SessionUpdate;
  type: "session.update";
}

/** What is in force after a `session.update`. */
export interface SessionUpdatedEvent {
  /** `event_…`. */
  event_id: string;
  /** Number of the event in its session, for the client that asked for `resume`: each next one is larger. */
  server_event_seq?: number | null;
  session: SessionConfig;
  type: "session.updated";
}

/** What each stage of an answer may take, in milliseconds. */
export interface StageBudgets {
  /** End of turn → transcript. */
  asr: number;
  /** Prompt handed over → first token. */
  first_token: number;
  /** Waiting for a fresh look. */
  perceive: number;
  /** Prompt handed over → taken in. */
  prefill: number;
  /** Recalling the past. */
  recall: number;
  /** End of speech → end of turn known. */
  vad_end: number;
}

/** Why a response is not whole. */
export interface StatusDetails {
  /** What failed. */
  error?: StatusError | null;
  /** `turn_detected`, `client_cancelled`, `max_output_tokens` or `content_filter`. */
  reason?: string | null;
  /** Same as the status. */
  type: ResponseStatus;
}

/** What failed. */
export interface StatusError {
  /** One of `wire::code`. */
  code: string;
  /** What happened: a further field, which stock clients leave out. */
  message: string;
  /** Who has to act. */
  type: ErrorType;
}

/** How full a tier is. */
export interface TierView {
  /** Bytes it takes. */
  bytes: number;
  /** What it may hold. */
  capacity: number;
  /** What it holds. */
  items: number;
}

/** How full the memory is. */
export interface TiersView {
  /** On disk; null when there is none. */
  archive: ArchiveView | null;
  /** Events. */
  episodic: TierView;
  /** The newest looks. */
  live: TierView;
  /** Merged events. */
  long_term: TierView;
  /** The last half minute, second by second. */
  working: TierView;
}

/** A function of the client's. */
export interface Tool {
  /** What it is for, for the model. */
  description?: string | null;
  /** Letters, digits, `_`, `-` and `.`, 64 at most; unique among the tools. */
  name: string;
  /** JSON Schema of its arguments, an object. */
  parameters?: Record<string, unknown> | null;
  /** Always `function`. */
  type: "function";
}

/** Whether tools are called. */
export type ToolChoice = ToolMode | NamedTool;

/** Whether functions are called: in general, or this one. */
export type ToolChoiceUpdate = ToolModeWord | {
  name: string;
  type: FunctionWord;
};

/** Whether any tool is called. */
export type ToolMode = "auto" | "none" | "required";

export type ToolModeWord = "auto" | "none" | "required";

/** A function that may be called. */
export interface ToolUpdate {
  /** For the model. */
  description?: string | null;
  name: string;
  /** JSON Schema of its arguments. */
  parameters?: Record<string, unknown> | null;
  type?: FunctionWord | null;
}

/** How input speech is written down. */
export interface Transcription {
  /** Language asked for; the recogniser decides whether it can. */
  language?: string | null;
  /** The recogniser in force, whatever name was asked for. */
  model: string;
}

export interface TranscriptionUpdate {
  language?: string | null;
  /** Shown as the recogniser in force, whatever name is given. */
  model?: string | null;
  prompt?: string | null;
}

/** What a transcription cost. */
export interface TranscriptionUsage {
  /** Seconds of sound. */
  seconds: number;
  /** Always `duration`. */
  type: "duration";
}

/** When the server itself finds that the speaker finished. */
export interface TurnDetection {
  /** Answer when a turn ends. */
  create_response: boolean;
  /** How soon a person may be taken to have finished; absent with `server_vad`. */
  eagerness?: Eagerness | null;
  /** So long after an answer was heard, with nothing said, the silence is a turn and is answered. Null: never, and always with `semantic_vad`. */
  idle_timeout_ms: number | null;
  /** Stop answering when speech starts. */
  interrupt_response: boolean;
  /** Sound kept from before the first voiced frame, in milliseconds. */
  prefix_padding_ms: number;
  /** Silence that ends a turn, in milliseconds. With `semantic_vad` what was said decides instead. */
  silence_duration_ms: number;
  /** Speech probability above which a frame counts as speech, `0.0..=1.0`. */
  threshold: number;
  /** Which kind the client asked for. Both are served by the same voice activity detector. */
  type: TurnKind;
}

/** Spelling of [`TurnDetection::kind`]. */
export type TurnKind = "server_vad" | "semantic_vad";

export type TurnKindName = "server_vad" | "semantic_vad" | "none";

export interface TurnUpdate {
  create_response?: boolean | null;
  eagerness?: Eagerness | null;
  idle_timeout_ms?: number | null;
  interrupt_response?: boolean | null;
  prefix_padding_ms?: number | null;
  silence_duration_ms?: number | null;
  threshold?: number | null;
  type?: TurnKindName | null;
}

/** What a response cost. */
export interface Usage {
  /** In, by kind. */
  input_token_details: InputDetails;
  /** In. */
  input_tokens: number;
  /** Out, by kind. */
  output_token_details: OutputDetails;
  /** Out. */
  output_tokens: number;
  /** In and out. */
  total_tokens: number;
}

/** Something that is watched for. */
export interface WatchView {
  /** In words: `a cup comes into view`. */
  condition: string;
  /** Milliseconds since the memory began. */
  created_ms: number;
  /** How often it happened. */
  fired: number;
  /** `watch_…`. */
  id: string;
  /** It ends when it has happened once. */
  once: boolean;
}

/** A colour of the whole picture. */
export interface WireColour {
  /** Its English name. */
  colour: string;
  /** Fraction of the picture. */
  share: number;
}

/** Why an event was refused. `event_id` is the client's own, so that it can tell which. */
export interface WireError {
  /** One of [`code`]. */
  code: string;
  /** The `event_id` of the refused event when it had one. */
  event_id: string | null;
  /** What was wrong and what to do. */
  message: string;
  /** Path of the field that was wrong, e.g. `session.audio.input.format.rate`. */
  param: string | null;
  /** Who has to act. */
  type: ErrorType;
}

/** A class name for the picture or a part of it. */
export interface WireLabel {
  /** Which part. */
  box: [number, number, number, number];
  /** `0.0..=1.0`. */
  confidence: number;
  /** Class name. */
  label: string;
}

/** An object in view. */
export interface WireObject {
  /** Where. */
  box: [number, number, number, number];
  /** Main colour. */
  colour: string | null;
  /** `0.0..=1.0`. */
  confidence: number;
  /** Class name. */
  label: string;
  /** The tracker's number. */
  track: number;
}

/** A line of text in view. */
export interface WireText {
  /** Where. */
  box: [number, number, number, number];
  /** `0.0..=1.0`. */
  confidence: number;
  /** The characters. */
  text: string;
}

/** A word of a spoken answer. */
export interface WordView {
  /** Its last sound. */
  end_ms: number;
  /** Its first sound, milliseconds since the beginning of the item's sound. */
  start_ms: number;
  /** As it stands in the transcript, with the marks that follow it. */
  text: string;
}

/** Events that the server sends. */
export type ServerEvent =
  | ErrorEvent
  | SessionCreatedEvent
  | SessionUpdatedEvent
  | ConversationItemAddedEvent
  | ConversationItemDoneEvent
  | ConversationItemRetrievedEvent
  | ConversationItemTruncatedEvent
  | ConversationItemDeletedEvent
  | ConversationItemInputAudioTranscriptionDeltaEvent
  | ConversationItemInputAudioTranscriptionCompletedEvent
  | ConversationItemInputAudioTranscriptionFailedEvent
  | InputAudioBufferCommittedEvent
  | InputAudioBufferClearedEvent
  | InputAudioBufferSpeechStartedEvent
  | InputAudioBufferSpeechStoppedEvent
  | InputAudioBufferTimeoutTriggeredEvent
  | ResponseCreatedEvent
  | ResponseDoneEvent
  | RateLimitsUpdatedEvent
  | ResponseOutputItemAddedEvent
  | ResponseOutputItemDoneEvent
  | ResponseContentPartAddedEvent
  | ResponseContentPartDoneEvent
  | ResponseOutputTextDeltaEvent
  | ResponseOutputTextDoneEvent
  | ResponseOutputAudioTranscriptDeltaEvent
  | ResponseOutputAudioTranscriptDoneEvent
  | ResponseOutputAudioDeltaEvent
  | ResponseOutputAudioDoneEvent
  | OutputAudioBufferStartedEvent
  | OutputAudioBufferStoppedEvent
  | OutputAudioBufferClearedEvent
  | ResponseOutputAudioWordsEvent
  | ResponseFunctionCallArgumentsDeltaEvent
  | ResponseFunctionCallArgumentsDoneEvent
  | ResponseLatencyEvent
  | ResponseDegradedEvent
  | InputVideoStatsEvent
  | SceneFactsEvent
  | AudioLevelEvent
  | MemoryTimelineEvent
  | MemoryUpdatedEvent
  | ResponseMemoryEvent
  | MemoryForgottenEvent
  | MemoryWatchCreatedEvent
  | MemoryWatchFiredEvent
  | MemoryWatchEndedEvent
  | SessionResumableEvent
  | SessionResumedEvent
  | SessionReplacedEvent
  | SessionExpiringEvent
  | SessionExpiredEvent
  | SessionResyncRequiredEvent;

/** Events that clients send. */
export type ClientEvent =
  | SessionUpdateEvent
  | InputAudioBufferAppendEvent
  | InputAudioBufferCommitEvent
  | InputAudioBufferClearEvent
  | ConversationItemCreateEvent
  | ConversationItemRetrieveEvent
  | ConversationItemTruncateEvent
  | ConversationItemDeleteEvent
  | ResponseCreateEvent
  | ResponseCancelEvent
  | OutputAudioBufferClearEvent
  | InputTextTypingEvent
  | SessionEventAckEvent
  | MemoryTimelineGetEvent
  | MemoryForgetEvent
  | MemoryWatchCreateEvent
  | MemoryWatchDeleteEvent;

/** The fields that each event of the server always has, with what `typeof` says of them; `"any"` may be null. */
export const SERVER_EVENT_FIELDS: { readonly [K in ServerEvent["type"]]: Readonly<Record<string, string>> } = {
  "error": { error: "object", event_id: "string" },
  "session.created": { session: "object", event_id: "string" },
  "session.updated": { session: "object", event_id: "string" },
  "conversation.item.added": { previous_item_id: "any", item: "object", event_id: "string" },
  "conversation.item.done": { previous_item_id: "any", item: "object", event_id: "string" },
  "conversation.item.retrieved": { item: "object", event_id: "string" },
  "conversation.item.truncated": { item_id: "string", content_index: "number", audio_end_ms: "number", event_id: "string" },
  "conversation.item.deleted": { item_id: "string", event_id: "string" },
  "conversation.item.input_audio_transcription.delta": { item_id: "string", content_index: "number", delta: "string", event_id: "string" },
  "conversation.item.input_audio_transcription.completed": { item_id: "string", content_index: "number", transcript: "string", usage: "object", event_id: "string" },
  "conversation.item.input_audio_transcription.failed": { item_id: "string", content_index: "number", error: "object", event_id: "string" },
  "input_audio_buffer.committed": { previous_item_id: "any", item_id: "string", event_id: "string" },
  "input_audio_buffer.cleared": { event_id: "string" },
  "input_audio_buffer.speech_started": { audio_start_ms: "number", item_id: "string", event_id: "string" },
  "input_audio_buffer.speech_stopped": { audio_end_ms: "number", item_id: "string", event_id: "string" },
  "input_audio_buffer.timeout_triggered": { audio_start_ms: "number", audio_end_ms: "number", item_id: "string", event_id: "string" },
  "response.created": { response: "object", event_id: "string" },
  "response.done": { response: "object", event_id: "string" },
  "rate_limits.updated": { rate_limits: "object", event_id: "string" },
  "response.output_item.added": { response_id: "string", output_index: "number", item: "object", event_id: "string" },
  "response.output_item.done": { response_id: "string", output_index: "number", item: "object", event_id: "string" },
  "response.content_part.added": { response_id: "string", item_id: "string", output_index: "number", content_index: "number", part: "any", event_id: "string" },
  "response.content_part.done": { response_id: "string", item_id: "string", output_index: "number", content_index: "number", part: "any", event_id: "string" },
  "response.output_text.delta": { response_id: "string", item_id: "string", output_index: "number", content_index: "number", delta: "string", event_id: "string" },
  "response.output_text.done": { response_id: "string", item_id: "string", output_index: "number", content_index: "number", text: "string", event_id: "string" },
  "response.output_audio_transcript.delta": { response_id: "string", item_id: "string", output_index: "number", content_index: "number", delta: "string", event_id: "string" },
  "response.output_audio_transcript.done": { response_id: "string", item_id: "string", output_index: "number", content_index: "number", transcript: "string", event_id: "string" },
  "response.output_audio.delta": { response_id: "string", item_id: "string", output_index: "number", content_index: "number", delta: "string", event_id: "string" },
  "response.output_audio.done": { response_id: "string", item_id: "string", output_index: "number", content_index: "number", event_id: "string" },
  "output_audio_buffer.started": { response_id: "string", event_id: "string" },
  "output_audio_buffer.stopped": { response_id: "string", event_id: "string" },
  "output_audio_buffer.cleared": { response_id: "string", event_id: "string" },
  "response.output_audio.words": { response_id: "string", item_id: "string", output_index: "number", content_index: "number", words: "object", event_id: "string" },
  "response.function_call_arguments.delta": { response_id: "string", item_id: "string", output_index: "number", call_id: "string", delta: "string", event_id: "string" },
  "response.function_call_arguments.done": { response_id: "string", item_id: "string", output_index: "number", call_id: "string", name: "string", arguments: "string", event_id: "string" },
  "response.latency": { response_id: "string", vad_end_ms: "any", asr_ms: "any", recall_ms: "any", perceive_ms: "any", prefill_ms: "any", first_token_ms: "any", total_ms: "any", first_words_ms: "any", budget_ms: "number", budgets_ms: "object", event_id: "string" },
  "response.degraded": { response_id: "any", reason: "string", step: "string", event_id: "string" },
  "input_video.stats": { decoded_fps: "number", watched_fps: "number", dropped: "number", width: "number", height: "number", last_frame_ms: "number", event_id: "string" },
  "scene.facts": { objects: "object", labels: "object", texts: "object", colours: "object", at_ms: "number", unusable: "any", event_id: "string" },
  "audio.level": { dbfs: "number", speaking: "boolean", event_id: "string" },
  "memory.timeline": { memory_id: "string", access_token: "string", started_unix_ms: "number", now_ms: "number", tiers: "object", events: "object", watches: "object", event_id: "string" },
  "memory.updated": { now_ms: "number", tiers: "object", changed: "object", removed: "object", merged: "object", event_id: "string" },
  "response.memory": { response_id: "string", route: "string", interval: "any", seen: "boolean", citations: "object", event_id: "string" },
  "memory.forgotten": { start_ms: "number", end_ms: "number", events: "number", keyframes: "number", event_id: "string" },
  "memory.watch.created": { watch: "object", event_id: "string" },
  "memory.watch.fired": { watch: "object", response_id: "string", event_id: "string" },
  "memory.watch.ended": { watch: "object", reason: "string", event_id: "string" },
  "session.resumable": { resume_token: "string", grace_ms: "number", kept_in: "string", event_id: "string" },
  "session.resumed": { resume_token: "string", grace_ms: "number", kept_in: "string", session: "object", attachment_generation: "number", replayed: "number", event_id: "string" },
  "session.replaced": { event_id: "string" },
  "session.expiring": { reason: "string", seconds_left: "number", event_id: "string" },
  "session.expired": { reason: "string", event_id: "string" },
  "session.resync_required": { reason: "string", missed: "any", item_ids: "object", response_ids: "object", event_id: "string" },
};
