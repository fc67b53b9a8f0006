-- The data model. One writer per table: who writes is said above each.
-- The only clock is now(); every visible change gives the instance a new resource version.

-- installation -------------------------------------------------------------------------------------

-- Written by the migration. Marks the processes of this installation, so that no other one touches them.
create table installation (
  only_row boolean primary key default true constraint installation_is_single check (only_row),
  uid uuid not null default gen_random_uuid(),
  created_at timestamptz not null default now()
);
insert into installation default values;

-- desired state: written by the API -----------------------------------------------------------------

create table types (
  name text primary key constraint types_name_is_label check (name ~ '^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$'),
  manifest jsonb not null,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);

create table data_keys (
  id uuid primary key,
  wrapped bytea not null,
  created_at timestamptz not null default now(),
  retired_at timestamptz
);
create unique index data_keys_one_active on data_keys ((true)) where retired_at is null;

create table api_keys (
  name text primary key constraint api_keys_name_is_label check (name ~ '^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$'),
  uid uuid not null default gen_random_uuid(),
  type text not null,
  version integer not null default 1 constraint api_keys_version_is_positive check (version >= 1),
  data_key_id uuid not null references data_keys,
  ciphertext bytea not null,
  last_four jsonb not null default '{}',
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);

create table tokens (
  id uuid primary key default gen_random_uuid(),
  name text not null constraint tokens_name_is_unique unique,
  hash bytea not null constraint tokens_hash_is_unique unique constraint tokens_hash_is_sha256 check (length(hash) = 32),
  scopes text[] not null
    constraint tokens_scopes_are_known check (scopes <@ array['read', 'write', 'access', 'admin'] and scopes <> '{}'),
  expires_at timestamptz,
  last_used_at timestamptz,
  created_at timestamptz not null default now()
);

create table instances (
  uid uuid primary key,
  name text not null constraint instances_name_is_unique unique
    constraint instances_name_is_label check (name ~ '^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$'),
  labels jsonb not null default '{}' constraint instances_labels_are_object check (jsonb_typeof(labels) = 'object'),
  type text not null,
  api_key text,
  config jsonb not null default '{}' constraint instances_config_is_object check (jsonb_typeof(config) = 'object'),
  ttl text,
  expires_at timestamptz,
  running boolean not null default true,
  restart text not null default 'always'
    constraint instances_restart_is_known check (restart in ('always', 'on-failure', 'never')),
  resources jsonb not null default '{}',
  -- counts changes of spec
  generation bigint not null default 1,
  -- the generation that last changed what the process is made of; a process begun before it is replaced
  process_generation bigint not null default 1,
  -- the resource version that the last change of desired state got: what If-Match is held against
  desired_version bigint not null default 0,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  deletion_requested_at timestamptz,
  constraint instances_generation_is_positive check (generation >= 1),
  constraint instances_process_generation_is_reached check (process_generation between 1 and generation)
);
create index instances_by_expiry on instances (expires_at) where expires_at is not null;
create index instances_by_label on instances using gin (labels jsonb_path_ops);
create index instances_by_type on instances (type, name);
create index instances_by_api_key on instances (api_key) where api_key is not null;

create table instance_tokens (
  instance_uid uuid primary key references instances (uid) on delete cascade,
  version integer not null default 1,
  hash bytea not null constraint instance_tokens_hash_is_sha256 check (length(hash) = 32),
  data_key_id uuid not null references data_keys,
  ciphertext bytea not null,
  created_at timestamptz not null default now()
);

create table idempotency_keys (
  token_id uuid not null,
  key text not null,
  request_hash bytea not null,
  response_status integer,
  response_body jsonb,
  created_at timestamptz not null default now(),
  primary key (token_id, key)
);
create index idempotency_keys_by_age on idempotency_keys (created_at);

-- nodes: written by the node itself ------------------------------------------------------------------

create table nodes (
  name text primary key,
  epoch bigint not null default 1,
  runtime text not null,
  instance_host text not null,
  port_from integer not null,
  port_to integer not null,
  boot_id text not null,
  version text not null,
  -- the process that starts and stops this node's processes; what another one writes is refused
  holder text,
  registered_at timestamptz not null default now(),
  heartbeat_at timestamptz not null default now(),
  constraint nodes_port_range_is_valid check (1 <= port_from and port_from <= port_to and port_to <= 65535)
);

create table controllers (
  node text not null,
  name text not null,
  pid integer not null,
  stats jsonb not null default '{}',
  started_at timestamptz not null default now(),
  heartbeat_at timestamptz not null default now(),
  primary key (node, name)
);

-- decisions and observations: one controller each -----------------------------------------------------

-- expiry: the lease that was found ended. It holds while instances.expires_at is still the same.
create table expiries (
  instance_uid uuid primary key references instances (uid) on delete cascade,
  expires_at timestamptz not null,
  generation bigint not null,
  expired_at timestamptz not null default now()
);

-- scheduler: where an instance runs.
create table placements (
  instance_uid uuid primary key references instances (uid) on delete cascade,
  node text not null references nodes (name),
  port integer not null constraint placements_port_is_valid check (port between 1 and 65535),
  placed_at timestamptz not null default now(),
  constraint placements_port_is_unique unique (node, port)
);

-- process: one row for each time a process was to be started. Written before the process exists.
create table attempts (
  id uuid primary key,
  instance_uid uuid not null,
  instance_name text not null,
  node text not null,
  port integer not null,
  runtime text not null,
  -- what the process was made of
  process_generation bigint not null,
  key_version integer,
  -- what its host was last told, and said yes to
  lease_expires_at timestamptz,
  token_version integer,
  began_at timestamptz not null default now(),
  -- identity: null until the spawn is recorded
  pid integer,
  start_time text,
  boot_id text,
  spawned_at timestamptz,
  stopping_at timestamptz,
  stop_reason text,
  killed_at timestamptz,
  ended_at timestamptz,
  end_reason text,
  end_message text,
  exit_code integer,
  exit_signal text,
  constraint attempts_identity_is_whole check (
    (pid is null and start_time is null and boot_id is null and spawned_at is null)
    or (pid is not null and start_time is not null and boot_id is not null and spawned_at is not null)
  ),
  constraint attempts_stop_has_reason check (stopping_at is null or stop_reason is not null),
  constraint attempts_kill_follows_stop check (killed_at is null or stopping_at is not null),
  constraint attempts_end_has_reason check ((ended_at is null) = (end_reason is null)),
  constraint attempts_exit_is_at_end check (ended_at is not null or (exit_code is null and exit_signal is null))
);
-- never two live processes for an instance
create unique index attempts_one_live on attempts (instance_uid) where ended_at is null;
create index attempts_live_by_node on attempts (node) where ended_at is null;
create index attempts_by_instance on attempts (instance_uid, began_at desc);
create index attempts_by_port on attempts (node, ended_at);
create index attempts_by_end on attempts (ended_at) where ended_at is not null;

-- process: what is true of an instance now. No row = Pending.
create table statuses (
  instance_uid uuid primary key references instances (uid) on delete cascade,
  phase text not null default 'Pending' constraint statuses_phase_is_known check (
    phase in ('Pending', 'Starting', 'Ready', 'Unhealthy', 'Backoff', 'Stopping', 'Stopped', 'Expired', 'Deleting')
  ),
  observed_generation bigint not null default 0,
  conditions jsonb not null default '[]',
  attempt_id uuid,
  restart_count integer not null default 0,
  -- how far the backoff has gone; set back after ten stable minutes or by a new generation
  backoff_step integer not null default 0,
  -- the process generation for which the restart policy says: not again
  held_generation bigint,
  next_start_at timestamptz,
  started_at timestamptz,
  ready_at timestamptz,
  last_exit jsonb,
  updated_at timestamptz not null default now(),
  constraint statuses_backoff_has_time check (phase <> 'Backoff' or next_start_at is not null),
  constraint statuses_live_has_attempt check (
    phase not in ('Starting', 'Ready', 'Unhealthy', 'Stopping') or attempt_id is not null
  ),
  constraint statuses_idle_has_no_attempt check (
    phase not in ('Pending', 'Backoff', 'Stopped', 'Expired') or attempt_id is null
  ),
  constraint statuses_counts_are_natural check (restart_count >= 0 and backoff_step >= 0)
);
create index statuses_by_phase on statuses (phase);

-- health: what probes and meters saw of an attempt's process.
create table observations (
  attempt_id uuid primary key references attempts (id) on delete cascade,
  instance_uid uuid not null,
  ready boolean not null,
  message text not null default '',
  changed_at timestamptz not null default now(),
  cpu real,
  memory_bytes bigint,
  requests bigint not null default 0,
  last_accessed_at timestamptz,
  measured_at timestamptz
);

-- events: appended by everyone, changed by no one -------------------------------------------------------

create table events (
  id bigint generated always as identity primary key,
  -- orders by commit for followers: all below pg_snapshot_xmin() is complete
  xid bigint not null default pg_current_xact_id()::text::bigint,
  at timestamptz not null default now(),
  instance_uid uuid not null,
  instance_name text not null,
  controller text not null,
  node text,
  reason text not null constraint events_reason_is_known check (
    reason in (
      'Declared', 'SpecChanged', 'Scheduled', 'Spawning', 'Adopted', 'Ready', 'Unhealthy', 'Recovered', 'Exited',
      'BackingOff', 'Killing', 'Killed', 'Stopped', 'Expired', 'Restored', 'Extended', 'Deleting', 'Deleted',
      'PortConflict', 'SecretMissing', 'OverMemory', 'NodeLost', 'Rescheduled', 'ToolsChanged', 'Misconfigured',
      'SandboxDegraded'
    )
  ),
  from_phase text,
  to_phase text,
  message text not null,
  data jsonb not null default '{}',
  constraint events_phases_come_together check ((from_phase is null) = (to_phase is null) or reason = 'Declared' or reason = 'Deleted'),
  -- the state machine
  constraint events_transition_is_allowed check (
    from_phase is null or to_phase is null or (from_phase, to_phase) in (
      ('Pending', 'Starting'), ('Pending', 'Stopped'), ('Pending', 'Expired'), ('Pending', 'Deleting'),
      ('Starting', 'Ready'), ('Starting', 'Unhealthy'), ('Starting', 'Backoff'), ('Starting', 'Pending'),
      ('Starting', 'Stopping'), ('Starting', 'Stopped'), ('Starting', 'Expired'), ('Starting', 'Deleting'),
      ('Ready', 'Unhealthy'), ('Ready', 'Backoff'), ('Ready', 'Pending'), ('Ready', 'Stopping'),
      ('Ready', 'Stopped'), ('Ready', 'Expired'), ('Ready', 'Deleting'),
      ('Unhealthy', 'Ready'), ('Unhealthy', 'Backoff'), ('Unhealthy', 'Pending'), ('Unhealthy', 'Stopping'),
      ('Unhealthy', 'Stopped'), ('Unhealthy', 'Expired'), ('Unhealthy', 'Deleting'),
      ('Backoff', 'Starting'), ('Backoff', 'Pending'), ('Backoff', 'Stopped'), ('Backoff', 'Expired'), ('Backoff', 'Deleting'),
      ('Stopping', 'Pending'), ('Stopping', 'Backoff'), ('Stopping', 'Stopped'), ('Stopping', 'Expired'), ('Stopping', 'Deleting'),
      ('Stopped', 'Pending'), ('Stopped', 'Starting'), ('Stopped', 'Expired'), ('Stopped', 'Deleting'),
      ('Expired', 'Pending'), ('Expired', 'Starting'), ('Expired', 'Stopped'), ('Expired', 'Deleting')
    )
  )
);
create index events_by_instance on events (instance_uid, id);
create index events_by_commit on events (xid, id);
create index events_by_time on events (at);

create function refuse_change() returns trigger language plpgsql as $$
begin
  -- Retention alone may remove, and says so for its transaction.
  if tg_op = 'DELETE' and current_setting('minimcp.retention', true) = 'on' then
    return old;
  end if;
  raise exception '% is append-only', tg_table_name using errcode = 'restrict_violation';
end $$;
create trigger events_append_only before update or delete on events for each row execute function refuse_change();
create trigger events_no_truncate before truncate on events for each statement execute function refuse_change();

-- Every change of phase has exactly one event in the same transaction.
create function check_phase_event() returns trigger language plpgsql as $$
declare
  old_phase text := case when tg_op = 'INSERT' then 'Pending' else old.phase end;
  seen integer;
begin
  if new.phase = old_phase then return null; end if;
  select count(*) into seen from events
    where instance_uid = new.instance_uid and xid = pg_current_xact_id()::text::bigint
      and from_phase = old_phase and to_phase = new.phase;
  if seen <> 1 then
    raise exception 'phase of % went from % to % with % events in the transaction', new.instance_uid, old_phase, new.phase, seen
      using errcode = 'integrity_constraint_violation';
  end if;
  return null;
end $$;
create constraint trigger statuses_phase_has_event after insert or update on statuses
  deferrable initially deferred for each row execute function check_phase_event();

-- audit: appended by the API -----------------------------------------------------------------------------

create table audit (
  sequence bigint generated always as identity primary key,
  at timestamptz not null default now(),
  actor text not null,
  action text not null,
  resource text not null,
  outcome text not null,
  request_id text,
  data jsonb not null default '{}',
  hmac bytea not null
);
create index audit_by_resource on audit (resource, sequence);
create trigger audit_append_only before update or delete on audit for each row execute function refuse_change();
create trigger audit_no_truncate before truncate on audit for each statement execute function refuse_change();

-- logs: written by the logs controller; one partition a day, made ahead and dropped by cleanup -------------

-- An identity column of a partitioned table needs PostgreSQL 17; MiniMCP runs on 14 and newer.
create sequence logs_id_seq;
create table logs (
  id bigint not null default nextval('logs_id_seq'),
  at timestamptz not null,
  instance_uid uuid not null,
  attempt_id uuid not null,
  stream text not null constraint logs_stream_is_known check (stream in ('host', 'stdout', 'stderr', 'gap')),
  level text not null,
  message text not null,
  data jsonb
) partition by range (at);
alter sequence logs_id_seq owned by logs.id;
create index logs_by_instance on logs (instance_uid, at, id);

create table log_cursors (
  attempt_id uuid not null,
  file text not null,
  inode bigint not null,
  position bigint not null default 0 constraint log_cursors_position_is_natural check (position >= 0),
  day date not null default current_date,
  updated_at timestamptz not null default now(),
  primary key (attempt_id, file, day)
) partition by range (day);

-- resource versions ---------------------------------------------------------------------------------------

-- One row for every instance, and for an hour the tombstone of a deleted one. The version is the id of the
-- transaction that made the last visible change: all below pg_snapshot_xmin() is complete, so a watcher that
-- stops there can resume without a gap. Written by the triggers below alone.
create table changes (
  instance_uid uuid primary key,
  instance_name text not null,
  resource_version bigint not null,
  deleted_at timestamptz,
  type text not null,
  labels jsonb not null
);
create index changes_by_version on changes (resource_version);
create index changes_deleted on changes (deleted_at) where deleted_at is not null;

-- Gives the instance this transaction's version. Two transactions on one instance are ordered by the row's
-- lock; if the one that comes second has the older id, it must try again with a new one.
create function touch_instance(target uuid) returns bigint language plpgsql as $$
declare
  mine bigint := pg_current_xact_id()::text::bigint;
  theirs bigint;
begin
  select resource_version into theirs from changes where instance_uid = target for update;
  if theirs > mine then
    raise exception 'instance % was changed by a younger transaction; try again', target using errcode = 'serialization_failure';
  end if;
  if theirs < mine then
    update changes set resource_version = mine where instance_uid = target;
  end if;
  return mine;
end $$;

create function instance_changed() returns trigger language plpgsql as $$
begin
  if tg_op = 'DELETE' then
    perform touch_instance(old.uid);
    update changes set deleted_at = now(), type = old.type, labels = old.labels where instance_uid = old.uid;
    perform pg_notify('minimcp', 'instance:' || old.uid);
    return old;
  end if;
  if tg_op = 'INSERT' then
    new.desired_version := pg_current_xact_id()::text::bigint;
    insert into changes (instance_uid, instance_name, resource_version, type, labels)
      values (new.uid, new.name, new.desired_version, new.type, new.labels);
  else
    new.desired_version := touch_instance(new.uid);
    new.updated_at := now();
  end if;
  perform pg_notify('minimcp', 'instance:' || new.uid);
  return new;
end $$;
create trigger instances_changed before insert or update or delete on instances
  for each row execute function instance_changed();

-- For the tables that hold facts about an instance: a new version and a ring of the doorbell.
create function fact_changed() returns trigger language plpgsql as $$
declare
  target uuid := case when tg_op = 'DELETE' then old.instance_uid else new.instance_uid end;
begin
  -- While the instance itself is being deleted its tombstone says everything.
  if tg_op <> 'DELETE' or exists (select from instances where uid = target) then
    perform touch_instance(target);
  end if;
  perform pg_notify('minimcp', tg_argv[0] || ':' || target);
  return null;
end $$;
create trigger statuses_changed after insert or update on statuses
  for each row execute function fact_changed('status');
create trigger placements_changed after insert or update or delete on placements
  for each row execute function fact_changed('placement');
create trigger expiries_changed after insert or update on expiries
  for each row execute function fact_changed('expiry');

-- A ring alone: these are not part of what a reader sees, or come with a change of phase.
create function ring() returns trigger language plpgsql as $$
begin
  perform pg_notify('minimcp', tg_argv[0] || ':' || (to_jsonb(case when tg_op = 'DELETE' then old else new end) ->> tg_argv[1]));
  return null;
end $$;
create trigger attempts_spawned after update of pid on attempts for each row execute function ring('attempt', 'instance_uid');
create trigger observations_inserted after insert on observations for each row execute function ring('observation', 'instance_uid');
create trigger observations_flipped after update of ready on observations
  for each row when (old.ready is distinct from new.ready) execute function ring('observation', 'instance_uid');
create trigger api_keys_changed after insert or update or delete on api_keys for each row execute function ring('api-key', 'name');
create trigger instance_tokens_changed after update on instance_tokens for each row execute function ring('instance', 'instance_uid');
