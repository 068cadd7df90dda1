/// The QMP protocol as a state machine: bytes in, messages and actions out; query commands only,
/// and their replies as typed values. A pure room.
