// Reads the golden files with hyparquet and requires the digest of every row, as readers.py does.
//
//   npm install --prefix DIR hyparquet hyparquet-compressors && NODE_PATH=DIR/node_modules node scripts/readers.mjs DIR
import { createHash } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { basename, dirname, join, resolve } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'

const modules = createRequire(join(resolve(process.argv[2] ?? '.'), 'x.js'))
const load = async name => import(pathToFileURL(modules.resolve(name)))
const { parquetReadObjects } = await load('hyparquet')
const { compressors } = await load('hyparquet-compressors')

const golden = join(dirname(fileURLToPath(import.meta.url)), '..', 'fixtures', 'golden')
const paths = process.argv.length > 3 ? process.argv.slice(3)
  : readdirSync(golden).filter(f => f.endsWith('.parquet')).sort().map(f => join(golden, f))

function digest(r) {
  const h = createHash('sha256')
  const length = n => { const b = Buffer.alloc(4); b.writeUInt32LE(n); h.update(b) }
  const integer = n => { const b = Buffer.alloc(8); b.writeBigInt64LE(BigInt(n)); h.update(b) }
  const text = (...list) => { for (const s of list) { const b = Buffer.from(s, 'utf8'); length(b.length); h.update(b) } }
  const double = x => {
    const b = Buffer.alloc(8)
    if (Number.isNaN(x)) b.writeBigUInt64LE(0x7ff8000000000000n)
    else b.writeDoubleLE(x)
    h.update(b)
  }
  const doubles = list => { length(list.length); for (const x of list) double(x) }
  const integers = list => { length(list.length); for (const n of list) integer(n) }
  text(r.case_id); integer(r.revision); text(r.loss, r.tier, r.kind, r.params)
  length(r.inputs.length)
  for (const t of r.inputs) { text(t.name, t.role, t.dtype); integers(t.shape); doubles(t.data) }
  length(r.expected.length)
  for (const o of r.expected) {
    text(o.output); integers(o.shape)
    for (const k of ['data', 'scale', 'scale_usual', 'lower', 'upper']) doubles(o[k])
  }
  if (r.error === null || r.error === undefined) h.update(Buffer.from([0]))
  else { h.update(Buffer.from([1])); text(r.error) }
  for (const list of [r.dtypes, r.tags]) { length(list.length); text(...list) }
  text(r.method, r.source); integer(r.precision_bits); text(r.comment)
  return h.digest('hex')
}

let passed = 0
let failed = 0
for (const path of paths) {
  const bytes = readFileSync(path)
  const file = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength)
  const rows = await parquetReadObjects({ file, compressors })
  const bad = rows.filter(r => digest(r) !== r.sha256).map(r => r.case_id)
  for (const id of bad.slice(0, 5)) console.log(`FAIL hyparquet ${path}: ${id}`)
  console.log(`${'hyparquet'.padEnd(8)} ${basename(path).padEnd(27)} ${String(rows.length).padStart(4)} rows, ${bad.length} wrong`)
  passed += rows.length - bad.length
  failed += bad.length
}
console.log(`${passed} passed, ${failed} failed`)
process.exit(failed || !passed ? 1 : 0)
