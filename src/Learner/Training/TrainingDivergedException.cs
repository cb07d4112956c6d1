using MassDpo.Shared.Actors;

namespace MassDpo.Learner.Training;

/// <summary>
/// The policy, or its gradient, is not finite any more. It ends a run: a restart from the checkpoint would come to the same place again.
/// </summary>
public sealed class TrainingDivergedException(string message) : FatalActorException(message);
