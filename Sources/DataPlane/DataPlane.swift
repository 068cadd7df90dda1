// The embedded engine: devices with a dedicated thread each, their backends, and the simulated guest.
