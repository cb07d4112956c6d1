namespace MassDpo.Kafka.Links;

/// <summary>A link over topics cannot go on: the message says what failed and what to do.</summary>
public sealed class LinkException(string message, Exception? inner = null) : IOException(message, inner);
