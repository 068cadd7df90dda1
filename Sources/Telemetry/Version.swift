/// vblktop's version (semantic versioning; CHANGELOG.md).
public let vblktopVersion = "0.4.0"
