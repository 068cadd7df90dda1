/// A running VM as a source: discovery, thread roles, the QMP session, joined to one `Snapshot`
/// per tick.
