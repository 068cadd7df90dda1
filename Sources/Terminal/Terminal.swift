// The terminal itself: start and stop, input, resize, colours, painting grid differences.
