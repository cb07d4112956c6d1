namespace MassDpo.App.Watching;

/// <summary>The head of a request (RFC 9112), of which only what is needed here is kept.</summary>
/// <param name="Method">GET or HEAD, where it is not refused</param>
/// <param name="Path">without the query</param>
/// <param name="Authorization">that header's value; null: absent</param>
/// <param name="Refusal">the answer to a request that cannot be understood or is not served; null: it is good</param>
internal sealed record HttpRequest(string Method, string Path, string? Authorization, HttpAnswer? Refusal)
{
    /// <summary>Reads a head: its lines with CRLF between them, without the empty one at its end.</summary>
    public static HttpRequest Parse(string head)
    {
        var lines = head.Split("\r\n");
        if (lines[0].Split(' ') is not [var method, var target, var version] || method.Length == 0 || !version.StartsWith("HTTP/", StringComparison.Ordinal))
            return Refused(HttpAnswer.Refusal(400, "the request line is malformed"));
        if (version is not ("HTTP/1.1" or "HTTP/1.0"))
            return Refused(HttpAnswer.Refusal(505, "HTTP/1.1 and HTTP/1.0 are spoken here"));
        var (hosts, authorization) = (0, (string?)null);
        foreach (var line in lines.AsSpan(1))
        {
            var colon = line.IndexOf(':');
            if (colon <= 0 || line.AsSpan(0, colon).ContainsAny(" \t") || line.AsSpan().ContainsAny('\r', '\n', '\0'))
                return Refused(HttpAnswer.Refusal(400, "a header is malformed"));
            var name = line.AsSpan(0, colon);
            if (name.Equals("Host", StringComparison.OrdinalIgnoreCase))
                hosts++;
            if (!name.Equals("Authorization", StringComparison.OrdinalIgnoreCase))
                continue;
            if (authorization is not null)
                return Refused(HttpAnswer.Refusal(400, "Authorization comes twice"));
            authorization = line[(colon + 1)..].Trim(' ', '\t');
        }
        if (hosts > 1 || (hosts == 0 && version == "HTTP/1.1"))
            return Refused(HttpAnswer.Refusal(400, "there must be one Host"));
        if (method is not ("GET" or "HEAD"))
            return Refused(HttpAnswer.Refusal(405, "GET and HEAD are served here", "Allow: GET, HEAD"));
        var path = target.StartsWith('/') ? target.Split('?')[0] : Uri.TryCreate(target, UriKind.Absolute, out var uri) && uri.Scheme is "http" or "https" ? uri.AbsolutePath : null;
        return path is null ? Refused(HttpAnswer.Refusal(400, "the target is malformed")) : new HttpRequest(method, path, authorization, null);
    }

    private static HttpRequest Refused(HttpAnswer answer) => new("GET", "", null, answer);
}
