// Turns a gzipped introspection result into SDL: node schema_to_sdl.mjs FROM.json.gz TO.graphql
// Keeps what can be reached from the root fields that deal with stock; a whole schema is slow to parse.
import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';

const ROOT_FIELDS = /^(shop|node|nodes|location|locations|inventory|product|order|fulfillment|refund|bulkOperation|currentBulk|webhook|currentAppInstallation|appInstallation)/;
const BUILT_IN = new Set(['Int', 'Float', 'String', 'Boolean', 'ID']);

const [from, to] = process.argv.slice(2);
const read = JSON.parse(gunzipSync(readFileSync(from)));
const schema = read.data?.__schema ?? read.__schema;
const types = new Map(schema.types.map((type) => [type.name, type]));
const roots = [schema.queryType?.name, schema.mutationType?.name].filter(Boolean);
for (const root of roots) {
  const type = types.get(root);
  type.fields = type.fields.filter((field) => ROOT_FIELDS.test(field.name));
}

const named = (type) => (type.ofType ? named(type.ofType) : type.name);
const kept = new Set();
const queue = [...roots];
while (queue.length > 0) {
  const name = queue.pop();
  const type = types.get(name);
  if (!type || kept.has(name) || name.startsWith('__')) continue;
  kept.add(name);
  for (const field of [...(type.fields ?? []), ...(type.inputFields ?? [])]) {
    queue.push(named(field.type), ...(field.args ?? []).map((argument) => named(argument.type)));
  }
  for (const other of [...(type.interfaces ?? []), ...(type.possibleTypes ?? [])]) queue.push(other.name);
}

const typed = (type) =>
  type.kind === 'NON_NULL' ? `${typed(type.ofType)}!` : type.kind === 'LIST' ? `[${typed(type.ofType)}]` : type.name;
const input = (value) => `${value.name}: ${typed(value.type)}${value.defaultValue == null ? '' : ` = ${value.defaultValue}`}`;
const inputs = (values) => (values?.length ? `(${values.map(input).join(', ')})` : '');
const field = (one) => `  ${one.name}${inputs(one.args)}: ${typed(one.type)}`;
const block = (head, lines) => `${head} {\n${lines.join('\n')}\n}`;
const implementing = (type) => (type.interfaces?.length ? ` implements ${type.interfaces.map((one) => one.name).join(' & ')}` : '');

function written(type) {
  switch (type.kind) {
    case 'SCALAR':
      return BUILT_IN.has(type.name) ? '' : `scalar ${type.name}`;
    case 'OBJECT':
      return block(`type ${type.name}${implementing(type)}`, type.fields.map(field));
    case 'INTERFACE':
      return block(`interface ${type.name}${implementing(type)}`, type.fields.map(field));
    case 'UNION':
      return `union ${type.name} = ${type.possibleTypes.map((one) => one.name).join(' | ')}`;
    case 'ENUM':
      return block(`enum ${type.name}`, type.enumValues.map((value) => `  ${value.name}`));
    case 'INPUT_OBJECT':
      return block(`input ${type.name}${type.isOneOf ? ' @oneOf' : ''}`, type.inputFields.map((value) => `  ${input(value)}`));
    default:
      throw new Error(`a type of unknown kind: ${type.kind} ${type.name}`);
  }
}

const head = block('schema', [`  query: ${roots[0]}`, ...(roots[1] ? [`  mutation: ${roots[1]}`] : [])]);
// Introspection does not name every directive that the platform takes.
const directives = ['directive @idempotent(key: String!) on FIELD'];
const bodies = [...kept].sort().map((name) => written(types.get(name)));
writeFileSync(`${to}.part`, [head, ...directives, ...bodies].filter(Boolean).join('\n\n') + '\n');
renameSync(`${to}.part`, to);
