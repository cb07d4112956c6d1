using System.Globalization;
using Microsoft.Extensions.Configuration;

namespace MassDpo.Shared.Settings.Hocon;

/// <summary>Puts settings into a configuration builder.</summary>
public static class HoconConfigurationExtensions
{
    /// <summary>
    /// Adds a HOCON file, read when the configuration is built: keys are joined with <c>:</c>, items of lists are numbered children. A relative path
    /// is relative to the current folder.
    /// </summary>
    /// <param name="builder">The builder.</param>
    /// <param name="path">The file.</param>
    /// <param name="optional">Whether the file may be absent.</param>
    public static IConfigurationBuilder AddHoconFile(this IConfigurationBuilder builder, string path, bool optional = false) =>
        builder.Add(new HoconConfigurationSource(() => (optional && !File.Exists(path) ? HoconDocument.Empty : HoconDocument.Load(path)).Resolve()));

    /// <summary>Adds settings that were resolved already.</summary>
    public static IConfigurationBuilder AddHocon(this IConfigurationBuilder builder, HoconObject settings) =>
        builder.Add(new HoconConfigurationSource(() => settings));
}

/// <summary>A source of settings for Microsoft's configuration.</summary>
/// <param name="load">Called when the configuration is built and when it is reloaded.</param>
public sealed class HoconConfigurationSource(Func<HoconObject> load) : IConfigurationSource
{
    /// <inheritdoc/>
    public IConfigurationProvider Build(IConfigurationBuilder builder) => new HoconConfigurationProvider(load);
}

/// <summary>
/// Flattens settings into Microsoft's configuration as its JSON provider does: scalars as text, null as null, an empty list as "", an empty block as
/// null.
/// </summary>
public sealed class HoconConfigurationProvider(Func<HoconObject> load) : ConfigurationProvider
{
    /// <inheritdoc/>
    /// <exception cref="HoconException">
    /// The settings cannot be read, or two keys are the same to Microsoft's configuration, which knows no case.
    /// </exception>
    public override void Load()
    {
        var data = new Dictionary<string, string?>(StringComparer.OrdinalIgnoreCase);
        var origins = new Dictionary<string, HoconOrigin>(StringComparer.OrdinalIgnoreCase);
        Fill(load(), "");
        Data = data;

        void Fill(HoconValue value, string key)
        {
            switch (value)
            {
                case HoconObject { Map.Count: > 0 } block:
                    foreach (var (name, field) in block.Map)
                        Fill(field, Join(key, name));
                    break;
                case HoconArray { Items.Count: > 0 } array:
                    for (var i = 0; i < array.Items.Count; i++)
                        Fill(array.Items[i], Join(key, i.ToString(CultureInfo.InvariantCulture)));
                    break;
                // Settings without any field have no key.
                case HoconObject when key.Length == 0:
                    break;
                default:
                    if (!origins.TryAdd(key, value.Origin))
                        throw new HoconException(value.Origin, key, $"found a second setting of this name, after {origins[key]}", "rename one");
                    data[key] = value is HoconScalar { Kind: not HoconKind.Null } scalar ? scalar.Text : value is HoconArray ? "" : null;
                    break;
            }
        }

        static string Join(string key, string name) => key.Length == 0 ? name : ConfigurationPath.Combine(key, name);
    }
}
