-- Tools that change, and packages that are installed.

alter table events drop constraint events_reason_is_known;
alter table events add constraint events_reason_is_known check (
  reason in (
    'Declared', 'SpecChanged', 'Scheduled', 'Spawning', 'Adopted', 'Ready', 'Unhealthy', 'Recovered', 'Exited',
    'BackingOff', 'Killing', 'Killed', 'Stopped', 'Expired', 'Restored', 'Extended', 'Deleting', 'Deleted',
    'PortConflict', 'SecretMissing', 'OverMemory', 'NodeLost', 'Rescheduled', 'ToolsChanged', 'Misconfigured',
    'SandboxDegraded', 'Installing', 'Installed'
  )
);

-- health: the tools that a process was last seen with, as [{name, hash}]; null = not yet.
alter table observations add column tools_hash text, add column tools jsonb;
create trigger observations_tools_seen after update of tools_hash on observations
  for each row when (old.tools_hash is distinct from new.tools_hash)
  execute function ring('observation', 'instance_uid');

-- process: the tools that an instance is known for. Written with the event that tells a change; the first list
-- is no change.
create table tool_lists (
  instance_uid uuid primary key references instances (uid) on delete cascade,
  hash text not null,
  tools jsonb not null constraint tool_lists_tools_are_list check (jsonb_typeof(tools) = 'array'),
  -- over what people decided of the process that had them: type and its program, configuration, api key and its version
  spec_hash text not null,
  changed_at timestamptz not null default now()
);
