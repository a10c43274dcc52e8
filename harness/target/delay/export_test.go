package delay

// Lateness is what the proxy allows for waking up.
var Lateness = lateness
