/*
 * What the server and the browser app say to each other, version 1. The schemas check requests, shape the answers, and the OpenAPI document is made
 * from them. The app imports types only.
 *
 * Text reaches the app as segments: pieces of text that can be read, mostly one token each, several where the bytes of one character are spread
 * over tokens. A segment's activation is the largest of its tokens'. Bytes that never become a character stand as ⟨d8⟩, a line end as ↵, a tab as ⇥.
 */

export { type ErrorBody, errorSchema } from './protocol/common.js'
export * from './protocol/features.js'
export * from './protocol/map.js'
export * from './protocol/notes.js'
export * from './protocol/relatives.js'
export * from './protocol/runs.js'
export * from './protocol/specificity.js'
export * from './protocol/steering.js'
export * from './protocol/texts.js'
