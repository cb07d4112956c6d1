using MassDpo.Kafka.Client;

namespace MassDpo.Kafka.Links;

/// <summary>What a link over topics needs.</summary>
/// <param name="Kafka">how to reach the cluster</param>
/// <param name="Group">under this name, with a suffix for each link, the learner's place in what is sent to it is kept</param>
/// <param name="Failed">told, from a thread of the link's, why it cannot go on; what uses the link must stop then</param>
/// <param name="Note">told of what a person should hear: messages that could not be read and were left out</param>
public sealed record KafkaLinkOptions(KafkaOptions Kafka, string Group, Action<Exception> Failed, Action<string> Note);
