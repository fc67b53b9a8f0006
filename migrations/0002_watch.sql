-- What watching and following need beside the versions themselves.

-- Tells a watcher that resumes whether an object is new to it.
alter table changes add column created_version bigint not null default (pg_current_xact_id()::text::bigint);
-- The events of an instance that is gone are found by its name as long as its tombstone is kept.
create index changes_by_name on changes (instance_name);

-- The youngest version whose tombstone was removed: who resumes from before it may have missed a deletion.
-- Written by the triggers below alone, so that whoever removes tombstones cannot forget it.
create table watch_horizon (
  only_row boolean primary key default true constraint watch_horizon_is_single check (only_row),
  resource_version bigint not null
);
insert into watch_horizon (resource_version) values (0);

create function tombstones_removed() returns trigger language plpgsql as $$
begin
  update watch_horizon set resource_version = removed.version
    from (select max(resource_version) as version from removed_changes) removed
    where removed.version > watch_horizon.resource_version;
  return null;
end $$;
create trigger changes_removed after delete on changes referencing old table as removed_changes
  for each statement execute function tombstones_removed();

-- A version that goes back: the data was restored into another server (see rebaseVersions). No position
-- from before means anything here.
create function versions_rebased() returns trigger language plpgsql as $$
begin
  update watch_horizon set resource_version = new.resource_version where resource_version <> new.resource_version;
  return null;
end $$;
create trigger changes_rebased after update of resource_version on changes
  for each row when (new.resource_version < old.resource_version) execute function versions_rebased();

-- Readers of one instance's events follow the order of commits too; this serves them and the check of phases.
drop index events_by_instance;
create index events_by_instance on events (instance_uid, xid, id);
