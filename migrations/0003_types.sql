-- Server types that users register. Until now the table was there and had no writer.

alter table types
  -- json keeps the order of fields, in which people are asked for them
  alter column manifest type json using manifest::json,
  -- counts changes of anything that a reader sees
  add column version integer not null default 1 constraint types_version_is_positive check (version >= 1),
  -- over what a process is made of, so that words are none of it; a process made of another one is replaced
  add column program_hash text not null constraint types_program_hash_is_sha256 check (program_hash ~ '^[0-9a-f]{64}$'),
  add column source text not null constraint types_source_is_known check (source in ('manifest', 'server.json')),
  -- as it was sent; `manifest` is what was made of it
  add column document json not null constraint types_document_is_object check (json_typeof(document) = 'object'),
  add constraint types_manifest_is_object check (json_typeof(manifest) = 'object');
create trigger types_changed after insert or update or delete on types for each row execute function ring('type', 'name');

-- Who uses a type: asked when it is to be deleted.
create index api_keys_by_type on api_keys (type, name);

-- The names of the values of a key, so that a key which lacks one is seen without opening it.
-- Null = written before this column; then it is not known.
alter table api_keys add column fields text[];

-- The program_hash of its registered type that a process was made of; null = built in.
alter table attempts add column type_program text;
