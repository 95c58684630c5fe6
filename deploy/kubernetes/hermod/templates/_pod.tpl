{{/* The pod of a node. */}}
{{- define "hermod.pod" -}}
metadata:
  labels:
    {{- include "hermod.labels" . | nindent 4 }}
    {{- with .Values.podLabels }}{{ toYaml . | nindent 4 }}{{ end }}
  {{- with .Values.podAnnotations }}
  annotations: {{- toYaml . | nindent 4 }}
  {{- end }}
spec:
  serviceAccountName: {{ include "hermod.serviceAccount" . }}
  automountServiceAccountToken: false
  {{- with .Values.imagePullSecrets }}
  imagePullSecrets: {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.priorityClassName }}
  priorityClassName: {{ . }}
  {{- end }}
  terminationGracePeriodSeconds: {{ add (int .Values.stop.preStop) (int .Values.stop.timeout) 5 }}
  securityContext:
    runAsNonRoot: true
    runAsUser: 65532
    runAsGroup: 65532
    fsGroup: 65532
    fsGroupChangePolicy: OnRootMismatch
    seccompProfile: {type: RuntimeDefault}
  containers:
    - name: hermod
      image: "{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}"
      imagePullPolicy: {{ .Values.image.pullPolicy }}
      args: ["-conf", "/etc/hermod/hermod.yaml"]
      env: {{- include "hermod.env" . | nindent 8 }}
      ports:
        {{- range $name, $port := include "hermod.ports" . | fromYaml }}
        - {name: {{ $name }}, containerPort: {{ $port }}{{ if eq $name "quic" }}, protocol: UDP{{ end }}}
        {{- end }}
        {{- if include "hermod.embedded" . }}
        - {name: cluster, containerPort: 6222}
        {{- end }}
      # A large database is migrated before the node lives.
      startupProbe:
        httpGet: {path: /healthz, port: ops}
        periodSeconds: 2
        failureThreshold: 150
      livenessProbe:
        httpGet: {path: /healthz, port: ops}
        periodSeconds: 10
        timeoutSeconds: 5
        failureThreshold: 6
      readinessProbe:
        httpGet: {path: /readyz, port: ops}
        periodSeconds: 2
        timeoutSeconds: 2
        failureThreshold: 1
      {{- if .Values.stop.preStop }}
      lifecycle:
        preStop:
          sleep: {seconds: {{ int .Values.stop.preStop }}}
      {{- end }}
      resources: {{- toYaml .Values.resources | nindent 8 }}
      securityContext:
        allowPrivilegeEscalation: false
        readOnlyRootFilesystem: true
        capabilities: {drop: [ALL]}
      volumeMounts:
        - {name: config, mountPath: /etc/hermod, readOnly: true}
        - {name: data, mountPath: /data}
        - {name: tmp, mountPath: /tmp}
        {{- if .Values.quic.enabled }}
        - {name: quic, mountPath: /etc/hermod-quic, readOnly: true}
        {{- end }}
        {{- if .Values.recordings.existingClaim }}
        - {name: recordings, mountPath: /data/blobs}
        {{- end }}
        {{- if .Values.cluster.tls.secretName }}
        - {name: cluster, mountPath: /etc/hermod-cluster, readOnly: true}
        {{- end }}
        {{- with .Values.extraVolumeMounts }}{{ toYaml . | nindent 8 }}{{ end }}
  volumes:
    - name: config
      configMap: {name: {{ include "hermod.name" . }}}
    - name: tmp
      emptyDir: {sizeLimit: {{ .Values.tmp.sizeLimit }}}
    {{- if or (not .Values.persistence.enabled) (ne .Values.cluster.type "none") }}
    - name: data
      emptyDir: {}
    {{- end }}
    {{- if .Values.quic.enabled }}
    - name: quic
      secret: {secretName: {{ .Values.quic.secretName }}}
    {{- end }}
    {{- with .Values.recordings.existingClaim }}
    - name: recordings
      persistentVolumeClaim: {claimName: {{ . | quote }}}
    {{- end }}
    {{- with .Values.cluster.tls.secretName }}
    - name: cluster
      secret: {secretName: {{ . | quote }}}
    {{- end }}
    {{- with .Values.extraVolumes }}{{ toYaml . | nindent 4 }}{{ end }}
  {{- with .Values.nodeSelector }}
  nodeSelector: {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.tolerations }}
  tolerations: {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.affinity }}
  affinity: {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- if .Values.topologySpreadConstraints }}
  topologySpreadConstraints: {{- toYaml .Values.topologySpreadConstraints | nindent 4 }}
  {{- else if ne .Values.cluster.type "none" }}
  topologySpreadConstraints:
    {{- range list "kubernetes.io/hostname" "topology.kubernetes.io/zone" }}
    - maxSkew: 1
      topologyKey: {{ . }}
      whenUnsatisfiable: ScheduleAnyway
      labelSelector:
        matchLabels: {{- include "hermod.selector" $ | nindent 10 }}
    {{- end }}
  {{- end }}
{{- end }}
