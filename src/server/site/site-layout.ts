/*
 * Where an exported site keeps what the API would answer: gzipped JSON below `data/`, so that any file server will do and a page costs one small request.
 * The exporter writes these files and the app reads them; nothing here needs Node.
 *
 *   runs.json.gz, <run>.json.gz            GET /runs, /runs/<run>
 *   <run>/map.json.gz                      GET /runs/<run>/map
 *   <run>/reports/<name>                   GET /runs/<run>/reports/<name>, as it is
 *   <run>/features/<n>/<id>.json.gz        `SitePage`: all about one feature, n = id / 1000
 *   <run>/features/<id>/explanations/<explanation>/examples.json.gz
 *   <run>/columns.json.gz                  `SiteColumns`: what lists are sorted and filtered by
 *   <run>/items/<n>.json.gz                lines of the list in its usual order, `itemsInFile` in each
 *   <run>/documents.json.gz                what the search looks in
 *   <run>/names/<n>.json.gz                names of the features n * namesInFile ...
 */

export const dataFolder = 'data'
export const itemsInFile = 64
export const namesInFile = 1024
const pagesInFolder = 1000

export const pageFile = (run: string, feature: number): string =>
  `${run}/features/${Math.floor(feature / pagesInFolder)}/${feature}.json.gz`
export const itemsFile = (run: string, index: number): string => `${run}/items/${index}.json.gz`
export const namesFile = (run: string, index: number): string => `${run}/names/${index}.json.gz`
export const columnsFile = (run: string): string => `${run}/columns.json.gz`
export const documentsFile = (run: string): string => `${run}/documents.json.gz`

/** The file of an answer that has one to itself. @param path below /api/v1, e.g. /runs/demo/map */
export const answerFile = (path: string): string => `${path.replace(/^\/runs\//, '/').slice(1)}.json.gz`

/** Names by feature. */
export type SiteNames = Record<string, string | null>

/** All about one feature. */
export interface SitePage {
  /** answers by what follows /runs/<run>/features/<id> in the address: '' is the page, '/notes', '/specificity', '/relatives' */
  answers: Record<string, unknown>
  /** of the features that it mentions */
  names: SiteNames
}

/** What lists are sorted and filtered by, one entry for each exported feature, in the order of their ids; see `FeatureColumns`. null: no value. */
export interface SiteColumns {
  /** which features these are; null: 0 .. F - 1 */
  features: number[] | null
  density: number[]
  max: number[]
  mean: (number | null)[]
  score: (number | null)[]
  singleToken: number[]
  labelled: number[]
  cluster: number[]
  order: number[]
}

/** What the search looks in, in the order of the columns. */
export interface SiteDocuments {
  text: string[]
  tokens: string[][]
}
