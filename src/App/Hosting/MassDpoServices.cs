using MassDpo.App.Hosting;
using Microsoft.Extensions.Logging;

namespace Microsoft.Extensions.DependencyInjection;

/// <summary>Embeds MassDpo in a Generic Host.</summary>
public static class MassDpoServices
{
    /// <summary>
    /// Adds a run that lives as long as the host: records from the program's own code in, a better policy and the record of every choice out.
    /// <see cref="IMassDpo"/> gives its events and its end.
    /// </summary>
    public static IServiceCollection AddMassDpo(this IServiceCollection services, Action<MassDpoOptions> configure)
    {
        var options = new MassDpoOptions();
        configure(options);
        services.AddSingleton(provider => new MassDpoService(options, provider.GetRequiredService<ILogger<MassDpoService>>()));
        services.AddSingleton<IMassDpo>(provider => provider.GetRequiredService<MassDpoService>());
        return services.AddHostedService(provider => provider.GetRequiredService<MassDpoService>());
    }
}
