using Google.Protobuf;
using MassDpo.Cluster.Serialization;
using MassDpo.Wire;

namespace MassDpo.Cluster.Links;

/// <summary>
/// What a call or a push carries: an object, or its bytes, or both once somebody needed the other. It is encoded at most once, and decoded where somebody reads it:
/// who only hands it on does neither. Thread-safe.
/// </summary>
internal sealed class Content : IEquatable<Content>
{
    private volatile object? _message;
    private volatile Form? _form;

    public Content(object message) => _message = message;

    public Content(string manifest, ByteString bytes) => _form = new Form(manifest, bytes);

    public string Manifest => Encoded.Manifest;

    public ByteString Bytes => Encoded.Bytes;

    /// <summary>The object.</summary>
    /// <exception cref="WireFormatException">the bytes are none of this kind, or of a kind that this build does not know</exception>
    public T Read<T>() where T : class
    {
        var message = _message ??= WireSerializer.Decode(_form!.Bytes.ToByteArray(), _form.Manifest);
        return message as T ?? throw new WireFormatException($"a {message.GetType().Name} where a {typeof(T).Name} is expected");
    }

    /// <summary>The object, where it is there already.</summary>
    public T? Known<T>() where T : class => _message as T;

    /// <inheritdoc/>
    public bool Equals(Content? other) => other is not null && Manifest == other.Manifest && Bytes == other.Bytes;

    /// <inheritdoc/>
    public override bool Equals(object? other) => Equals(other as Content);

    /// <inheritdoc/>
    public override int GetHashCode() => HashCode.Combine(Manifest, Bytes);

    /// <inheritdoc/>
    public override string ToString() => _message?.ToString() ?? $"{_form!.Bytes.Length} bytes of '{_form.Manifest}'";

    private Form Encoded
    {
        get
        {
            if (_form is { } form)
                return form;
            var (manifest, bytes) = WireSerializer.Encode(_message!);
            return _form = new Form(manifest, UnsafeByteOperations.UnsafeWrap(bytes));
        }
    }

    private sealed record Form(string Manifest, ByteString Bytes);
}
