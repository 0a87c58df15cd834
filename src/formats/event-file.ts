import { crc32c } from '@node-rs/crc32';
import protobuf from 'protobufjs';

/**
 * TensorBoard's event file: messages in TensorFlow's record format. A record is the number of its bytes as uint64, the masked
 * checksum of that number, the bytes, and their masked checksum, all little-endian. Names and numbers of the fields are
 * those of TensorFlow's `event.proto` and `summary.proto`.
 */
const source = `
syntax = "proto3";
message Event {
  double wall_time = 1;
  int64 step = 2;
  oneof what {
    string file_version = 3;
    Summary summary = 5;
    SessionLog session_log = 7;
  }
}
message Summary {
  repeated Value value = 1;
  message Value {
    string tag = 1;
    oneof value { float simple_value = 2; Image image = 4; }
    SummaryMetadata metadata = 9;
  }
  message Image { int32 height = 1; int32 width = 2; int32 colorspace = 3; bytes encoded_image_string = 4; }
}
message SummaryMetadata {
  PluginData plugin_data = 1;
  string summary_description = 3;
  message PluginData { string plugin_name = 1; }
}
message SessionLog { int32 status = 1; }
`;

const eventType = protobuf.parse(source, { keepCase: true }).root.lookupType('Event');

/** A picture, as JPEG or PNG. */
export interface ImageContent {
  readonly kind: 'image';
  readonly tag: string;
  /** What it shows, for readers. */
  readonly description: string;
  readonly width: number;
  readonly height: number;
  readonly encoded: Uint8Array;
}

/** What an event says, at a step of the run. */
export interface FileEvent {
  /** Unix time. */
  readonly seconds: number;
  readonly step: number;
  readonly content:
    | { readonly kind: 'version' }
    /** A process begins here: a reader forgets what it has of this step and later ones. */
    | { readonly kind: 'start' }
    | { readonly kind: 'scalars'; readonly values: Readonly<Record<string, number>> }
    | ImageContent;
}

/** The first version in which a start makes readers forget later steps. */
const fileVersion = 'brain.Event:2';
/** TensorFlow's number of a session's start. */
const sessionStart = 1;
/** TensorFlow's number of red, green and blue. */
const rgb = 3;
const headBytes = 12;
const tailBytes = 4;

/** An event as one record. */
export function encodeEvent({ seconds, step, content }: FileEvent): Buffer {
  const message = eventType.encode({ wall_time: seconds, step, ...contentMessage(content) }).finish();
  const record = Buffer.alloc(headBytes + message.length + tailBytes);
  record.writeBigUInt64LE(BigInt(message.length));
  record.writeUInt32LE(masked(record.subarray(0, 8)), 8);
  record.set(message, headBytes);
  record.writeUInt32LE(masked(message), headBytes + message.length);
  return record;
}

function contentMessage(content: FileEvent['content']): object {
  if (content.kind === 'version') return { file_version: fileVersion };
  if (content.kind === 'start') return { session_log: { status: sessionStart } };
  if (content.kind === 'image') {
    const { tag, description, width, height, encoded } = content;
    const image = { width, height, colorspace: rgb, encoded_image_string: encoded };
    const metadata = { plugin_data: { plugin_name: 'images' }, summary_description: description };
    return { summary: { value: [{ tag, image, metadata }] } };
  }
  const value = Object.entries(content.values).map(([tag, each]) => ({ tag, simple_value: each }));
  return { summary: { value } };
}

/** An event in a file, and the position after its record. */
export interface PlacedEvent {
  readonly event: FileEvent;
  readonly end: number;
}

/** The events of a file in its order, up to the first record that is damaged or incomplete. */
export function readEvents(bytes: Buffer): PlacedEvent[] {
  const events: PlacedEvent[] = [];
  for (let start = 0; start + headBytes <= bytes.length; ) {
    const size = bytes.readBigUInt64LE(start);
    if (masked(bytes.subarray(start, start + 8)) !== bytes.readUInt32LE(start + 8)) break;
    const begin = start + headBytes;
    if (size > BigInt(bytes.length - begin - tailBytes)) break;
    const end = begin + Number(size);
    const message = bytes.subarray(begin, end);
    if (masked(message) !== bytes.readUInt32LE(end)) break;
    start = end + tailBytes;
    events.push({ event: eventOf(message), end: start });
  }
  return events;
}

interface ValueMessage {
  readonly tag: string;
  readonly simple_value?: number;
  readonly image?: {
    readonly width: number;
    readonly height: number;
    readonly encoded_image_string: Uint8Array;
  };
  readonly metadata?: { readonly summary_description?: string };
}

interface EventMessage {
  readonly wall_time?: number;
  readonly step?: number;
  readonly session_log?: object;
  readonly summary?: { readonly value?: readonly ValueMessage[] };
}

function eventOf(message: Uint8Array): FileEvent {
  const found = eventType.toObject(eventType.decode(message), { longs: Number }) as EventMessage;
  const { wall_time: seconds = 0, step = 0, session_log, summary } = found;
  if (session_log) return { seconds, step, content: { kind: 'start' } };
  if (!summary) return { seconds, step, content: { kind: 'version' } };
  const [first] = summary.value ?? [];
  if (first?.image) return { seconds, step, content: imageOf(first.tag, first.image, first.metadata) };
  const values = (summary.value ?? []).map(({ tag, simple_value = 0 }) => [tag, simple_value]);
  return { seconds, step, content: { kind: 'scalars', values: Object.fromEntries(values) } };
}

function imageOf(
  tag: string,
  { width, height, encoded_image_string: encoded }: NonNullable<ValueMessage['image']>,
  metadata: ValueMessage['metadata'],
): ImageContent {
  return { kind: 'image', tag, description: metadata?.summary_description ?? '', width, height, encoded };
}

/** A checksum that is not itself a checksum's usual input: rotated by 15 bits, and a constant added. */
function masked(bytes: Uint8Array): number {
  const checksum = crc32c(bytes);
  return (((checksum >>> 15) | (checksum << 17)) + 0xa282ead8) >>> 0;
}
